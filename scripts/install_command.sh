#!/usr/bin/env bash
# Make `connector` a command of a virtual environment: install_command.sh VENV FOLDER, where FOLDER holds the package,
# its migrations and its specification. From then on that environment finds the package from anywhere.
set -euo pipefail

venv=${1:?which virtual environment?}
folder=${2:?where is the package?}

libraries=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$folder" >"$libraries/connector.pth"
cat >"$venv/bin/connector" <<END
#!$venv/bin/python
from dhos_connector_api.__main__ import main

main()
END
chmod 755 "$venv/bin/connector"
