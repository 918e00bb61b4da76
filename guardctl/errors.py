"""How a command says that it cannot do what it was asked: in one form, with the next step.

guardctl audit: no Region is configured
  next: name one with --region
"""

from guardctl.screen import say

_SIGN_IN = "name a profile with --profile, or sign in: aws sso login --profile NAME"
_NO_CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"),
        *("LoginRefreshTokenExpired", "LoginTokenLoadError"),
    }
)
_NOT_VALID = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"),
        *("UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "InvalidSignatureException"),
    }
)


class Failed(Exception):
    """A command cannot go on.

    The message says why, for people; `todo` is the next step, `code` the exit code.
    """

    code = 2

    def __init__(self, message: str, todo: str = "", code: int = 0) -> None:
        super().__init__(message)
        self.todo = todo
        self.code = code or self.code


def next_step(error: BaseException) -> str:
    """What to do about an error; empty where it says so itself."""
    if isinstance(error, Failed):
        return error.todo or (next_step(error.__cause__) if error.__cause__ else "")
    name = type(error).__name__
    if name == "ProfileNotFound":
        return "choose one of `aws configure list-profiles`, or make it: aws configure sso"
    if name in ("NoRegionError", "UnknownRegionError"):
        return "name a Region with --region"
    if name in ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"):
        return "check the Region and the network"
    response = getattr(error, "response", None)  # None for botocore's errors of HTTP
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return _SIGN_IN if name in _NO_CREDENTIALS or code in _NOT_VALID else ""


def report(command: str, message: str, todo: str = "") -> None:
    """Print an error on standard error."""
    first, *more = message.splitlines() or [""]
    say(f"{command}: {first}", err=True)
    for line in more:
        say(f"  {line}", err=True)
    if todo:
        say(f"  next: {todo}", err=True)
