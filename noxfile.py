# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "annotated-types==0.8.0",
#   "anyio==4.16.0",
#   "argcomplete==3.7.2",
#   "attrs==26.1.0",
#   "certifi==2026.10.18",
#   "click==8.5.1",
#   "colorama==0.4.6 ; sys_platform == 'win32'",
#   "colorlog==6.12.0",
#   "dependency-groups==1.3.2",
#   "distlib==0.4.4",
#   "filelock==4.2.11",
#   "h11==0.16.0",
#   "httpcore==1.0.9",
#   "httpx==0.28.1",
#   "humanize==4.17.0",
#   "idna==3.20",
#   "markdown-it-py==4.3.0",
#   "mdurl==0.1.2",
#   "nox[uv]==2026.10.20",
#   "opentelemetry-proto==1.45.2",
#   "packaging==26.3",
#   "platformdirs==4.14.7",
#   "protobuf==7.36.2",
#   "pydantic==2.14.3",
#   "pydantic-core==2.50.4",
#   "pydantic-settings==2.16.3",
#   "pygments==2.21.0",
#   "python-discovery==1.9.5",
#   "python-dotenv==1.2.4",
#   "rich==15.0.0",
#   "starlette==1.10.0",
#   "typing-extensions==4.16.0",
#   "typing-inspection==0.4.5",
#   "uv==0.13.9",
#   "uvicorn==0.54.0",
#   "virtualenv==21.15.8",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-19T00:00:00Z"
# ///
