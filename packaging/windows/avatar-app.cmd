@echo off
"%~dp0python.exe" -X utf8 -m avatar_app %*
