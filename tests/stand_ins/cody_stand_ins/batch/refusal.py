"""How AWS says no."""


class Refusal(Exception):
    """An error answer: `code` is the name of AWS's exception."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def client_error(message: str) -> Refusal:
    return Refusal("ClientException", message)
