"""Secrets, which are masked wherever a configuration is shown: recognized by name or by form.

============================== ================================== ============================
what                           example                            shown
============================== ================================== ============================
the value at a secret key      ``api-keys: [a, b]``               ``[***, ***]``
the password in a URL          ``amqp://guest:pw@host``           ``amqp://guest:***@host``
``name=value``, secret name    ``?user=ada&token=x``              ``?user=ada&token=***``
an option with a secret name   ``serve --password x``             ``serve --password ***``
a header with a secret name    ``Authorization: Bearer x``        ``Authorization: ***``
a private key                  ``-----BEGIN PRIVATE KEY-----``    ``***``
============================== ================================== ============================

A name is secret by its words, in singular and plural; `auth_data`, `authData` and `auth-data` are
the same. Secrets that neither their name nor their form tells from harmless text are shown.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ['MASK', 'is_secret', 'mask', 'mask_text']

MASK = '***'

#: Words that make a name secret when they are its last word.
_WORDS = frozenset(
    (
        *('apikey', 'auth', 'authkey', 'authorization', 'cookie', 'cred', 'credential', 'dsn'),
        *('jwt', 'pass', 'passcode', 'passphrase', 'passwd', 'password', 'pwd', 'secret', 'token'),
    )
)
#: Endings of the last word that make a name secret: `dbpassword`, `AUTHTOKEN`. No harmless word
#: ends like that.
_ENDINGS = (
    *('accesskey', 'apikey', 'credential', 'passphrase', 'passwd', 'password', 'privatekey'),
    *('pwd', 'secret', 'secretkey', 'token', 'dbpass', 'userpass'),
)
#: Words that make a following `key` secret; other keys are harmless (`routing_key`).
_KEYS = frozenset(
    (
        *('access', 'account', 'api', 'auth', 'encryption', 'master', 'private', 'secret'),
        *('session', 'shared', 'signing'),
    )
)
#: Words that make a following `tokens` a number: `max_tokens`.
_COUNTS = frozenset(('max', 'maximum', 'min', 'minimum', 'n', 'num', 'number', 'total'))
#: Words that may follow a secret one, and change nothing: `auth_header`.
_CARRIERS = frozenset(('data', 'hash', 'header', 'info', 'string', 'value'))

# Patterns stay text: `re` compiles and caches each on first use, and most processes use none.
_WORD = r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+'

_NAME = r'[A-Za-z][\w.\-]{0,99}(?:\[\w{0,99}\])?'
#: A comma ends a value only where another pair or URL follows; elsewhere it is part of the value.
_VALUE = r"""(?:'[^']*'|"[^"]*"|(?:,(?![\w.\-]*(?:=|://))|[^&\s;,'"])+)"""
_PAIR = rf'(?P<name>(?<![\w.]){_NAME})(?P<equals>\s?=\s?)(?P<value>{_VALUE})'
_OPTION = rf'(?P<name>(?<!\S)--?{_NAME})(?P<equals>\s+)(?P<value>(?!-){_VALUE})'
_JSON = rf"""(?P<name>["']{_NAME}["'])(?P<equals>\s*:\s*)(?P<value>"[^"]*"|'[^']*')"""
_HEADER = rf'(?s:(?P<name>^{_NAME})(?P<equals>:\s+)(?P<value>\S.*))'
#: The password in `scheme://user:password@host`: everything up to the end of the authority (RFC
#: 3986, 3.2).
_IN_URL = r'(?<=://)([^\s/?#:@]*):([^\s/?#]*)@'
#: A password with an unescaped slash: the URL is invalid, the password still secret. A port is not
#: a password.
_IN_BROKEN_URL = r"""(?<=://)([^\s/?#:@]*):(?!\*\*\*@|\d{1,5}(?:[/?#,;'"\s]|$))[^\s'"]*@"""
#: A password in a URL that was cut in the middle: `amqp://guest:pa...`.
_IN_CUT_URL = r"""(?<=://)([^\s/?#:@]*):(?!\d{1,5}(?:\W|$))[^\s/?#@'"]*\.\.\."""
#: A user name of 16 characters or more with digits in it is a token.
_TOKEN_IN_URL = r'(?<=://)(?=[^\s/?#:@]*\d)[\w\-]{16,}@'
_PRIVATE_KEY = r'(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|$))'


def is_secret(name: str) -> bool:
    """Return whether the name of a key, a parameter or an option says that its value is secret.

    Only the last 200 characters of the name are read.
    """
    words = [_singular(word.lower()) for word in re.findall(_WORD, name[-200:])]
    while len(words) > 1 and words[-1] in _CARRIERS:
        words.pop()
    if not words:
        return False
    last = words[-1]
    if last == 'token' and len(words) > 1 and words[-2] in _COUNTS:
        return False
    return (
        last in _WORDS
        or last.endswith(_ENDINGS)
        or (last == 'key' and len(words) > 1 and words[-2] in _KEYS)
    )


def mask(value: Any, name: str = '') -> Any:
    """Return a copy of a value with ``***`` in place of secrets; `name` is its key.

    Below a secret key, everything is masked except references to dependencies, which are names, and
    null, true and false: they show whether a secret is set. Tuples become lists.
    """
    secret = is_secret(name)
    if isinstance(value, dict):
        named = _named(value)
        # What decides is a secret key above the child, or else the name in a pair such as
        # {name: TOKEN, value: x}, or else the child's own key.
        return {
            key: mask(child, name if secret else named if named and key == 'value' else str(key))
            for key, child in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [mask(item, name) for item in value]
    if isinstance(value, str) and value.startswith('dep:'):
        return value
    if value is not None and not isinstance(value, bool) and secret:
        return MASK
    if isinstance(value, str):
        return re.sub(_HEADER, _masked_pair, mask_text(value))
    return value


def mask_text(text: str) -> str:
    """Return text with ``***`` for secrets recognized by their form: see the table of this module.

    A header is recognized by `mask` only, where it is a whole value.
    """
    if '://' in text:
        text = re.sub(_IN_URL, rf'\1:{MASK}@', text)
        text = re.sub(_IN_BROKEN_URL, rf'\1:{MASK}@', text)
        text = re.sub(_IN_CUT_URL, rf'\1:{MASK}...', text)
        text = re.sub(_TOKEN_IN_URL, f'{MASK}@', text)
    if '=' in text:
        text = re.sub(_PAIR, _masked_pair, text)
    if '-' in text:
        text = re.sub(_OPTION, _masked_pair, text)
        text = re.sub(_PRIVATE_KEY, MASK, text)
    if ':' in text:
        text = re.sub(_JSON, _masked_pair, text)
    return text


def _masked_pair(found: re.Match[str]) -> str:
    if not is_secret(found['name']):
        return found[0]
    quote = found['value'][0] if found['value'][0] in '\'"' else ''
    return f'{found["name"]}{found["equals"]}{quote}{MASK}{quote}'


def _singular(word: str) -> str:
    return word[:-1] if word.endswith('s') and not word.endswith('ss') else word


def _named(value: dict[Any, Any]) -> str:
    """Return the secret name in a pair like ``{name: TOKEN, value: x}``, or ''."""
    for key in ('name', 'key'):
        named = value.get(key)
        if isinstance(named, str) and is_secret(named):
            return named
    return ''
