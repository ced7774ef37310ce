"""What gives code power over the machine, in the text of strings as well: commands, modules, variables."""

import re

from cody_worker.guards.powers import Dangers, Power

_SHELL = r"(?:sudo[ \t]+)?(?:/\S{0,40}/)?(?:(?:ba|z|k|da)?sh|python\d?|perl|ruby|node)\b"
_MODULE = r"(?:\brequire\([ \t]*|\bfrom[ \t]*|\bimport[ \t]*\(?[ \t]*)[\"'](?:node:)?"
_CREDENTIAL = r"\w{0,60}?(?:SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)\w{0,60}"
_PROGRAMS = (
    rf"\b(?P<loader>curl|wget)\b[^\n|;]{{1,300}}\|[ \t]*{_SHELL}",
    r"\b(?:ba|z)?sh[ \t]+(?:-c[ \t]+)?[\"']?(?:<\(|\$\()[ \t]*(?P<loaded>curl|wget)\b",
    rf"\b(?P<decoder>base64[ \t]+(?:-d|-D|--decode))\b[^\n|]{{0,100}}\|[ \t]*{_SHELL}",
    r"/dev/(?:tcp|udp)/",
    r"\b(?P<listener>nc(?:at)?)[ \t][^\n]{0,80}[ \t]-\w{0,4}e\b",
    r"\b(?P<powershell>powershell(?:\.exe)?)[ \t][^\n]{0,80}-e(?:nc|ncodedcommand)?\b",
    r"\bInvoke-Expression\b",
    rf"{_MODULE}(?P<name>child_process|execa|shelljs)[\"']",
    r"^[ \t]*(?:import[ \t]+)?\"(?P<package>os/exec)\"",
)
_EVALUATION = (
    rf"{_MODULE}(?P<name>vm2?)[\"']",
    r"\bimport_module\([ \t]*[\"'](?P<module>os|subprocess|pty|ctypes|socket|pickle|shutil|builtins)[\"']",
)
_NETWORK = (rf"{_MODULE}(?P<name>net|dgram|tls)[\"']", r"\bfile_get_contents\([ \t]*[\"']https?:")
_VARIABLES = (
    r"\benviron(?:b|\.get|\.pop)?[ \t]*[\[(]",
    r"\bgetenv[ \t]*\(",
    r"\b(?:process|import\.meta)\.env(?:\?\.|\.|\[)",
    r"\bENV(?:\.fetch)?[ \t]*[\[(]",
    r"\$_(?:ENV|SERVER)\[",
    r"\benv::var(?:_os)?\(",
    r"\bos\.LookupEnv\(",
    r"\bGetEnvironmentVariable\(",
    r"\benvironment\[",
    r"\bDeno\.env\.get\(",
)
_CREDENTIALS = (
    rf"(?:{'|'.join(_VARIABLES)})[ \t]*[\"'`]?(?P<name>{_CREDENTIAL})",
    r"\bstringify\([ \t]*process\.env[ \t]*[,)]",
    r"\bdumps\([ \t]*(?:dict\([ \t]*)?os\.environ\b",
    r"/proc/(?:self|\d{1,9})/environ\b",
    r"/etc/(?:shadow|passwd)\b",
    r"\.(?:ssh/id_\w{1,20}|aws/credentials|docker/config\.json|git-credentials|kube/config)\b",
    r"(?<=/)\.netrc\b",
)
_DESTRUCTION = (
    r"\brm[ \t]+(?:-\w{1,8}[ \t]+){0,3}(?:-\w{0,6}[rR]\w{0,6}f\w{0,4}|-\w{0,6}f\w{0,6}[rR]\w{0,4})\b",
    r"\brm[ \t]+(?:-[rR][ \t]+-f|-f[ \t]+-[rR])\b",
    r"\bmkfs(?:\.\w{1,10})?[ \t]",
    r"\b(?P<dd>dd)[ \t][^\n]{0,80}\bof=/dev/",
    r">[ \t]*/dev/sd[a-z]\b",
    r"\bshred[ \t]+-",
    r"\bfind[ \t][^\n]{1,100}[ \t](?P<find>-delete)\b",
    r":\(\)[ \t]*\{[ \t]*:\|:[ \t]*&",
    r"\b(?P<item>Remove-Item)\b[^\n]{0,80}-Recurse\b",
    r"\b(?:del|rd|rmdir)[ \t]+/[sfq]\b",
    r"\b(?:DROP[ \t]+(?:TABLE|DATABASE|SCHEMA)|TRUNCATE[ \t]+TABLE)\b",
)

TEXTS: Dangers = {
    Power.PROGRAMS: re.compile("|".join(_PROGRAMS), re.MULTILINE),
    Power.EVALUATION: re.compile("|".join(_EVALUATION)),
    Power.NETWORK: re.compile("|".join(_NETWORK)),
    Power.CREDENTIALS: re.compile("|".join(_CREDENTIALS), re.IGNORECASE),
    Power.DESTRUCTION: re.compile("|".join(_DESTRUCTION)),
}
"""Looked for in every file but prose."""
