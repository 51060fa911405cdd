"""The answer to a head that is refused: plain text, since nothing is known of the client."""

from __future__ import annotations

from lymph.web._http.heads import HeadError

__all__ = ['refusal']

_REASONS = {
    400: 'Bad Request',
    408: 'Request Timeout',
    414: 'URI Too Long',
    417: 'Expectation Failed',
    431: 'Request Header Fields Too Large',
    501: 'Not Implemented',
    505: 'HTTP Version Not Supported',
}


def refusal(error: HeadError) -> bytes:
    """Return the whole answer to a refused head; the connection closes after it."""
    body = f'{error}\n'.encode()
    head = (
        f'HTTP/1.1 {error.status} {_REASONS[error.status]}\r\n'
        f'Content-Type: text/plain; charset=utf-8\r\n'
        f'Content-Length: {len(body)}\r\nConnection: close\r\n\r\n'
    )
    return head.encode('latin-1') + body
