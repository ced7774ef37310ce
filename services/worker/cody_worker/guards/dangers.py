"""What gives code a power, as the languages write it."""

import re
from collections.abc import Mapping, Sequence

from cody_worker.guards.powers import Dangers, Power
from cody_worker.syntax import Language

_FREE = (
    r"(?<![\w.$])(?<!->)(?<!::)(?<!def )(?<!fn )(?<!func )(?<!fun )(?<!function )(?<!void )(?<!int )(?<!async )"
    r"(?<!new )"
)
"""Neither part of a name, nor another's method, nor a definition."""


def _calls(*names: str) -> tuple[str, ...]:
    """Functions that are called by nothing but their names."""
    return tuple(rf"{_FREE}{name}\s*\(" for name in names)


def _names(*names: str) -> tuple[str, ...]:
    """Names, with what stands around them, that begin with a whole word."""
    return tuple(rf"(?<![\w$]){name}" for name in names)


def _dangers(powers: Mapping[Power, Sequence[str]]) -> Dangers:
    return {power: re.compile("|".join(sources), re.MULTILINE) for power, sources in powers.items()}


_PYTHON = _dangers(
    {
        Power.PROGRAMS: (
            *_names(
                r"os\.(?:system|popen\d?|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|startfile|fork)\b",
                r"(?:pty\.spawn|asyncio\.(?:subprocess|create_subprocess_\w+))\b",
                r"(?:commands|popen2)\.\w+\(",
            ),
            *_calls("create_subprocess_(?:exec|shell)", "Popen", "check_output", "check_call"),
            rf"{_FREE}subprocess\b(?!\s*[:=](?!=))",
            r"^[ \t]*from\s+os\s+import\s[^\n]{0,200}\b(?P<name>system|popen|exec[lv]p?e?|spawn[lv]p?e?)\b",
            rf"{_FREE}os\.__dict__",
            rf"{_FREE}getattr\(\s*(?:os|builtins|__builtins__|sys\.modules)\b",
        ),
        Power.EVALUATION: (
            *_calls("eval", "exec", "execfile", "__import__"),
            *_names(
                r"(?:__builtins__|builtins)\.(?:eval|exec|__import__)\b",
                r"(?:runpy\.run_\w+|code\.Interactive\w+|types\.(?:CodeType|FunctionType)|imp\.load_\w+)\(",
                r"ctypes\.(?:CDLL|cdll|PyDLL|windll)\b",
            ),
        ),
        Power.NETWORK: (
            *_names(
                r"socket\.(?:socket|create_connection|create_server)\b",
                r"urllib\d?(?:\.request)?\.(?:urlopen|urlretrieve|Request|build_opener)\b",
                r"(?:requests|httpx)\.(?:get|post|put|patch|delete|head|request|stream|Session|Client|AsyncClient)\(",
                r"(?:http\.client|httplib)\.HTTPS?Connection\(",
                r"aiohttp\.(?:ClientSession|request)\(",
                r"(?:ftplib\.FTP(?:_TLS)?|smtplib\.SMTP(?:_SSL)?|telnetlib\.Telnet|paramiko\.\w+)\(",
                r"asyncio\.open_connection\(",
            ),
            *_calls("urlopen", "urlretrieve"),
        ),
        Power.OBJECTS: _names(
            r"(?:_?c?[pP]ickle|dill|cloudpickle|marshal|jsonpickle)\.(?:loads?|Unpickler|decode)\b",
            r"(?:shelve\.open|(?:pd|pandas)\.read_pickle|joblib\.load)\(",
            r"torch\.load\((?![^\n]*weights_only\s*=\s*True)",
            r"yaml\.(?:unsafe_load|full_load|load)(?:_all)?\((?![^\n]*Safe)",
        ),
        Power.DESTRUCTION: (
            *_names(r"shutil\.rmtree\b", r"os\.(?:remove|unlink|rmdir|removedirs|truncate)\b"),
            *_calls("rmtree", "removedirs"),
        ),
    }
)
_JAVASCRIPT = _dangers(
    {
        Power.PROGRAMS: (
            *_names(
                r"(?:child_process|childProcess|cp)\.(?:exec|spawn|fork)\w*\(",
                r"(?:Deno\.(?:run|Command)|Bun\.spawn(?:Sync)?|process\.(?:binding|dlopen)|shell(?:js)?\.exec)\b",
            ),
            *_calls("execSync", "spawnSync", "execFile", "execFileSync", "execa", "execaSync"),
        ),
        Power.EVALUATION: (
            *_names(
                r"new\s+Function\s*\(",
                r"(?:globalThis|window|global|self)\.eval\b",
                r"vm\.(?:runIn\w+|compileFunction|Script)\b",
                r"set(?:Timeout|Interval)\(\s*[\"'`]",
                r"document\.write(?:ln)?\(",
            ),
            *_calls("eval", "Function"),
        ),
        Power.NETWORK: (
            *_names(
                r"(?:window|globalThis|self)\.fetch\(",
                r"new\s+(?:XMLHttpRequest|WebSocket|EventSource)\b",
                r"(?:axios(?:\.\w+)?|https?\.(?:get|request)|(?:net|tls)\.(?:connect|createConnection))\(",
                r"(?:navigator\.sendBeacon|dgram\.createSocket|\$\.(?:ajax|getScript))\(",
            ),
            *_calls("fetch", "importScripts"),
        ),
        Power.OBJECTS: _names(r"unserialize\(", r"v8\.deserialize\("),
        Power.DESTRUCTION: (
            *_names(
                r"(?:fs|fsp|fse|fsPromises|promises)\.(?:promises\.)?"
                r"(?:rm|rmdir|unlink|remove|emptyDir|truncate)(?:Sync)?\(",
                r"Deno\.remove(?:Sync)?\(",
            ),
            *_calls("rmSync", "rmdirSync", "unlinkSync", "rimraf", "removeSync", "emptyDirSync"),
        ),
    }
)
_JVM = _dangers(
    {
        Power.PROGRAMS: _names(
            r"Runtime\.getRuntime\(\)\s*\.exec\b",
            r"Runtime\.getRuntime\b",
            r"(?:ProcessBuilder|sys\.process)\b",
            r"System\.load(?:Library)?\(",
        ),
        Power.EVALUATION: _names(
            r"(?:ScriptEngine(?:Manager)?|GroovyShell|GroovyClassLoader|URLClassLoader)\b",
            r"(?:SpelExpressionParser|JexlEngine|MVEL|Eval\.(?:me|x))\b",
            r"(?:defineClass|InitialContext)\(",
        ),
        Power.NETWORK: (
            *_names(
                r"(?:Server|SSL|Datagram)?Socket(?:Channel\.open)?\(",
                r"(?:HttpURLConnection|OkHttpClient|RestTemplate)\b",
                r"(?:HttpClients?\.(?:new|create)\w+|WebClient\.create|Source\.fromURL)\(",
            ),
            r"\.open(?:Connection|Stream)\(\)",
        ),
        Power.OBJECTS: (*_names(r"(?:ObjectInputStream|XMLDecoder|XStream|Kryo)\b"), r"\.readObject\("),
        Power.DESTRUCTION: (
            *_names(
                r"Files\.delete(?:IfExists)?\(",
                r"FileUtils\.(?:deleteDirectory|deleteQuietly|forceDelete|cleanDirectory)\(",
            ),
            r"\.delete(?:Recursively|OnExit|Dir)\(",
        ),
    }
)
_C_SHARP = _dangers(
    {
        Power.PROGRAMS: (*_names(r"Process\.Start\b", r"ProcessStartInfo\b"), r"\[DllImport\b"),
        Power.EVALUATION: _names(r"(?:CSharpScript|CSharpCodeProvider)\b", r"Assembly\.(?:Load\w*|UnsafeLoadFrom)\("),
        Power.NETWORK: _names(
            r"(?:HttpClient|WebClient|TcpClient|UdpClient|TcpListener|ClientWebSocket)\b",
            r"WebRequest\.Create\w*\(",
            r"new\s+Socket\(",
        ),
        Power.OBJECTS: _names(
            r"(?:Binary|Soap|Los|ObjectState)Formatter\b",
            r"NetDataContractSerializer\b",
            r"TypeNameHandling\.(?!None)\w+",
        ),
        Power.DESTRUCTION: _names(r"(?:Directory|File)\.Delete\("),
    }
)
_GO = _dangers(
    {
        Power.PROGRAMS: _names(r"exec\.Command(?:Context)?\(", r"(?:syscall\.(?:Exec|ForkExec)|os\.StartProcess)\("),
        Power.EVALUATION: _names(r"plugin\.Open\("),
        Power.NETWORK: _names(
            r"(?:net\.(?:Dial|Listen)\w*|tls\.Dial\w*|grpc\.(?:Dial|NewClient)\w*)\(",
            r"http\.(?:Get|Post|PostForm|Head|NewRequest|NewRequestWithContext|Client|DefaultClient)\b",
        ),
        Power.OBJECTS: _names(r"gob\.NewDecoder\("),
        Power.DESTRUCTION: _names(r"os\.(?:RemoveAll|Remove|Truncate)\("),
    }
)
_RUST = _dangers(
    {
        Power.PROGRAMS: _names(r"(?:Command::new|std::process::Command|libc::(?:system|exec\w+|fork))\b"),
        Power.EVALUATION: _names(r"Library::new\("),
        Power.NETWORK: _names(
            r"(?:TcpStream::connect|TcpListener::bind|UdpSocket::bind|hyper::Client)\b", r"(?:reqwest|ureq)::"
        ),
        Power.DESTRUCTION: _names(r"remove_(?:dir_all|dir|file)\b"),
    }
)
_RUBY = _dangers(
    {
        Power.PROGRAMS: (
            *_calls("system", "exec", "spawn", "fork", "popen"),
            *_names(r"(?:Kernel|Process)\.(?:system|exec|spawn|fork)\b", r"(?:Open3|IO\.popen|PTY\.spawn)\b"),
            rf"{_FREE}(?:system|exec|spawn)[ \t]+[\"'%]",
            r"`[^`\n]*`",
            r"%x[\[({<!|]",
        ),
        Power.EVALUATION: (
            *_calls("eval"),
            *_names(r"(?:Kernel|binding)\.eval\b", r"(?:instance|class|module)_eval[ \t(]+[\"'<]"),
            rf"{_FREE}eval[ \t]+[\w\"']",
        ),
        Power.NETWORK: _names(
            r"Net::(?:HTTP|FTP|SMTP)\b",
            r"(?:TCP|UDP|UNIX)(?:Socket|Server)\b",
            r"(?:Faraday|HTTParty|RestClient|Excon)\b",
            r"URI(?:\.parse\([^)\n]{0,200}\))?\.open\b",
        ),
        Power.OBJECTS: _names(
            r"(?:Marshal\.(?:load|restore)|(?:YAML|Psych)\.(?:load|unsafe_load|load_file)|Oj\.load)\b"
        ),
        Power.DESTRUCTION: (
            *_names(
                r"FileUtils\.(?:rm\w*|remove\w*|safe_unlink)\b", r"(?:File\.(?:delete|unlink)|Dir\.(?:delete|rmdir))\b"
            ),
            *_calls("rm_rf", "rm_r"),
        ),
    }
)
_PHP = _dangers(
    {
        Power.PROGRAMS: (
            *_calls("exec", "shell_exec", "system", "passthru", "popen", "proc_open", "pcntl_exec", "pcntl_fork"),
            r"`[^`\n]*`",
        ),
        Power.EVALUATION: (*_calls("eval", "create_function"), rf"{_FREE}assert\(\s*[\"'$]"),
        Power.NETWORK: (
            *_calls("curl_init", "curl_exec", "p?fsockopen", "stream_socket_client", "socket_connect", "ftp_connect"),
            *_names(r"new\s+(?:\\?GuzzleHttp\\Client|SoapClient)\b"),
        ),
        Power.OBJECTS: _calls("unserialize"),
        Power.DESTRUCTION: _calls("unlink", "rmdir", "ftruncate"),
    }
)
_C = _dangers(
    {
        Power.PROGRAMS: (
            *_calls("_?w?system", "_?popen", "exec[lv]p?e?", "v?fork", "posix_spawnp?"),
            *_calls("CreateProcess[AW]?", "ShellExecute(?:Ex)?[AW]?", "WinExec"),
            *_names(r"std::system\("),
        ),
        Power.EVALUATION: _calls("dlopen", "LoadLibrary(?:Ex)?[AW]?"),
        Power.NETWORK: _calls("socket", "WSASocket[AW]?", "curl_easy_init", "InternetOpen(?:Url)?[AW]?", "getaddrinfo"),
        Power.DESTRUCTION: (
            *_calls("unlink(?:at)?", "rmdir", "DeleteFile[AW]?", "RemoveDirectory[AW]?"),
            *_names(r"remove_all\(", r"fs::remove\(", r"filesystem::remove\("),
        ),
    }
)
_SWIFT = _dangers(
    {
        Power.PROGRAMS: (*_names(r"Process\(\)", r"NSTask\b"), *_calls("system", "popen", "posix_spawn")),
        Power.EVALUATION: (*_names(r"(?:evaluateJavaScript|JSContext)\b"), *_calls("dlopen")),
        Power.NETWORK: _names(r"(?:URLSession|NWConnection|NSURLConnection)\b"),
        Power.OBJECTS: _names(r"NS(?:Keyed)?Unarchiver\b"),
        Power.DESTRUCTION: (r"\.removeItem\(",),
    }
)
_BASH = _dangers({Power.EVALUATION: (r"(?:^|[;&|({`]|\b(?:then|do|else)\b)[ \t]*(?P<name>eval)[ \t]+\S",)})

CALLS: Mapping[Language, Dangers] = {
    Language.BASH: _BASH,
    Language.C: _C,
    Language.CPP: _C,
    Language.C_SHARP: _C_SHARP,
    Language.GO: _GO,
    Language.GROOVY: _JVM,
    Language.HTML: _JAVASCRIPT,
    Language.JAVA: _JVM,
    Language.JAVASCRIPT: _JAVASCRIPT,
    Language.KOTLIN: _JVM,
    Language.PHP: _PHP,
    Language.PYTHON: _PYTHON,
    Language.RUBY: _RUBY,
    Language.RUST: _RUST,
    Language.SCALA: _JVM,
    Language.SWIFT: _SWIFT,
    Language.TSX: _JAVASCRIPT,
    Language.TYPESCRIPT: _JAVASCRIPT,
}
"""By the names of functions and types, in code without its comments and the text of its strings."""
