# Installs the app on this computer, uses it like a user without a screen, and removes it.
#   usage: packaging/windows/try.ps1 C:\path\avatar-app-1.0.0-setup.exe
param([Parameter(Mandatory)] [string] $Installer)
$ErrorActionPreference = "Stop"
if (-not (Test-Path $Installer)) { Write-Error "There is no installer $Installer; make it with: python packaging/make.py windows" }
$folder = Join-Path $env:RUNNER_TEMP "Avatar App"
$env:QT_QPA_PLATFORM = "offscreen"

$done = Start-Process $Installer -ArgumentList "/S", "/D=$folder" -Wait -PassThru
if ($done.ExitCode -ne 0) { Write-Error "The installer ended with $($done.ExitCode)." }
$app = Join-Path $folder "avatar-app.cmd"
& $app --version
& $app doctor
if ($LASTEXITCODE -notin 0, 1) { Write-Error "doctor ended with $LASTEXITCODE." }
& $app demo --output (Join-Path $env:RUNNER_TEMP "demo.mp4")
if ($LASTEXITCODE -ne 0) { Write-Error "demo ended with $LASTEXITCODE." }
$window = Start-Process (Join-Path $folder "pythonw.exe") -ArgumentList "-X", "utf8", "-m", "avatar_app" -PassThru
foreach ($try in 1..60) { & $app control status; if ($LASTEXITCODE -eq 0) { break } }
& $app control quit
if (-not $window.WaitForExit(60000)) { Write-Error "The window did not end." }

Start-Process (Join-Path $folder "uninstall.exe") -ArgumentList "/S" -Wait
foreach ($try in 1..60) { if (-not (Test-Path $folder)) { break }; Start-Sleep 1 }
if (Test-Path $folder) { Write-Error "The uninstaller has left $folder." }
Write-Output "removed: nothing is left"
