; The installer for Windows, for one user and without an administrator. makensis gets VERSION, TREE, LICENCE, ICON, TARGET and SIZE.
Unicode true
Target amd64-unicode
!include MUI2.nsh

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\AvatarApp"
Name "Avatar"
OutFile "${TARGET}"
InstallDir "$LOCALAPPDATA\Programs\AvatarApp"
InstallDirRegKey HKCU "${KEY}" "InstallLocation"
RequestExecutionLevel user
!ifdef QUICK
  SetCompressor zlib
!else
  SetCompressor /SOLID lzma
  SetCompressorDictSize 64
!endif
VIProductVersion "${VERSION}.0"
VIAddVersionKey ProductName "Avatar"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey FileDescription "Avatar, a photo moved by your face in any video call"
VIAddVersionKey LegalCopyright "MIT; with its libraries GPL-2.0 or later"

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_FINISHPAGE_RUN "$INSTDIR\pythonw.exe"
!define MUI_FINISHPAGE_RUN_PARAMETERS "-X utf8 -m avatar_app"
!insertmacro MUI_PAGE_LICENSE "${LICENCE}"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "Russian"

LangString FOREIGN ${LANG_ENGLISH} "$INSTDIR holds other files. Choose an empty folder, or one with an earlier version of Avatar."
LangString FOREIGN ${LANG_RUSSIAN} "В папке $INSTDIR лежат другие файлы. Выберите пустую папку или папку с прежней версией Avatar."
LangString RUNNING ${LANG_ENGLISH} "Avatar is running. Close it, then try again."
LangString RUNNING ${LANG_RUSSIAN} "Avatar запущен. Закройте его и попробуйте снова."


Section
  ; Removing takes the whole folder away: nothing of the user's may be in it.
  IfFileExists "$INSTDIR\avatar-app.cmd" ours
  FindFirst $0 $1 "$INSTDIR\*"
  next:
    StrCmp $1 "" empty
    StrCmp $1 "." skip
    StrCmp $1 ".." skip
    MessageBox MB_OK|MB_ICONSTOP "$(FOREIGN)" /SD IDOK
    SetErrorLevel 2
    Quit
  skip:
    FindNext $0 $1
    Goto next
  empty:
    FindClose $0
    Goto copy
  ours:
    ; A program that runs cannot be replaced.
    ClearErrors
    Delete "$INSTDIR\python.exe"
    IfErrors busy
    Delete "$INSTDIR\pythonw.exe"
    IfErrors busy
    RMDir /r "$INSTDIR\site"
    Goto copy
  busy:
    MessageBox MB_OK|MB_ICONSTOP "$(RUNNING)" /SD IDOK
    SetErrorLevel 2
    Quit
  copy:
  SetOutPath "$INSTDIR"
  File /r "${TREE}\*"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortCut "$SMPROGRAMS\Avatar.lnk" "$INSTDIR\pythonw.exe" "-X utf8 -m avatar_app" "$INSTDIR\avatar.ico"
  WriteRegStr HKCU "${KEY}" "DisplayName" "Avatar"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\avatar.ico"
  WriteRegStr HKCU "${KEY}" "Publisher" "the Avatar App authors"
  WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${SIZE}
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Section Uninstall
  IfFileExists "$INSTDIR\avatar-app.cmd" +3
    SetErrorLevel 2
    Quit
  ClearErrors
  Delete "$INSTDIR\python.exe"
  Delete "$INSTDIR\pythonw.exe"
  IfErrors 0 +4
    MessageBox MB_OK|MB_ICONSTOP "$(RUNNING)" /SD IDOK
    SetErrorLevel 2
    Quit
  RMDir /r "$INSTDIR"
  Delete "$SMPROGRAMS\Avatar.lnk"
  DeleteRegKey HKCU "${KEY}"
  ; Start at log-in, which the app itself has set.
  DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "avatar-app"
SectionEnd
