"""What is not shown of a configuration: secrets, told by the names of their keys and by their form.

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

A key is secret by its words (`auth_data`, `authData` and `auth-data` are the same), in singular and
plural. What cannot be told from harmless text by either is shown.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ['MASK', 'is_secret', 'mask', 'mask_text']

MASK = '***'

#: Secret as the last word of a name.
_WORDS = frozenset(
    (
        *('apikey', 'auth', 'authkey', 'authorization', 'cookie', 'cred', 'credential', 'dsn'),
        *('jwt', 'pass', 'passcode', 'passphrase', 'passwd', 'password', 'pwd', 'secret', 'token'),
    )
)
#: Secret at the end of a word too: `dbpassword`, `AUTHTOKEN`. No harmless word ends like that.
_ENDINGS = (
    *('accesskey', 'apikey', 'credential', 'passphrase', 'passwd', 'password', 'privatekey'),
    *('pwd', 'secret', 'secretkey', 'token', 'dbpass', 'userpass'),
)
#: `key` is secret after these.
_KEYS = frozenset(
    (
        *('access', 'account', 'api', 'auth', 'encryption', 'master', 'private', 'secret'),
        *('session', 'shared', 'signing'),
    )
)
#: Tokens after these are counted.
_COUNTS = frozenset(('max', 'maximum', 'min', 'minimum', 'n', 'num', 'number', 'total'))
#: What may follow a secret word without making it another thing.
_CARRIERS = frozenset(('data', 'hash', 'header', 'info', 'string', 'value'))

# Patterns are text: `re` compiles each when it is first used, and most processes use none.
_WORD = r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+'

_NAME = r'[A-Za-z][\w.\-]{0,99}(?:\[\w{0,99}\])?'
#: A comma ends a value in a list of URLs or of pairs, and is a part of it elsewhere.
_VALUE = r"""(?:'[^']*'|"[^"]*"|(?:,(?![\w.\-]*(?:=|://))|[^&\s;,'"])+)"""
_PAIR = rf'(?P<name>(?<![\w.]){_NAME})(?P<equals>\s?=\s?)(?P<value>{_VALUE})'
_OPTION = rf'(?P<name>(?<!\S)--?{_NAME})(?P<equals>\s+)(?P<value>(?!-){_VALUE})'
_JSON = rf"""(?P<name>["']{_NAME}["'])(?P<equals>\s*:\s*)(?P<value>"[^"]*"|'[^']*')"""
_HEADER = rf'(?s:(?P<name>^{_NAME})(?P<equals>:\s+)(?P<value>\S.*))'
#: The password in `scheme://user:password@host`; it may hold all but what ends the authority.
_IN_URL = r'(?<=://)([^\s/?#:@]*):([^\s/?#]*)@'
#: One with a slash in it, which is no URL any more but still a secret; a port is none.
_IN_BROKEN_URL = r"""(?<=://)([^\s/?#:@]*):(?!\*\*\*@|\d{1,5}(?:[/?#,;'"\s]|$))[^\s'"]*@"""
#: One that was cut in the middle.
_IN_CUT_URL = r"""(?<=://)([^\s/?#:@]*):(?!\d{1,5}(?:\W|$))[^\s/?#@'"]*\.\.\."""
#: A long name with digits before the host is no user but a token.
_TOKEN_IN_URL = r'(?<=://)(?=[^\s/?#:@]*\d)[\w\-]{16,}@'
_PRIVATE_KEY = r'(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|$))'


def is_secret(name: str) -> bool:
    """Tell whether the name of a key, a parameter or an option says that its value is secret."""
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
    """Return a copy of a value in which secrets are ``***``; `name` is the key it stands at.

    Below a secret key everything is masked but null, true and false, so that one can see whether a
    secret is set, and references to dependencies, which are names.
    """
    secret = is_secret(name)
    if isinstance(value, dict):
        named = _named(value)
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
    """Return text with ``***`` for what is secret by its form: see the table of this module."""
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
    """Return the secret name in ``{name: TOKEN, value: x}``, or ''."""
    for key in ('name', 'key'):
        named = value.get(key)
        if isinstance(named, str) and is_secret(named):
            return named
    return ''
