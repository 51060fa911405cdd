from __future__ import annotations

import pytest

from lymph.services.node._fleet.shell_words import shell_word


@pytest.mark.parametrize(
    ('command', 'word'),
    [
        ('echo a | tr a b', '|'),
        ('cat a|grep b', 'a|grep'),
        ('a && b', '&&'),
        ('a&&b', 'a&&b'),
        ('a || b', '||'),
        ('cd x; make', 'x;'),
        ('a ; b', ';'),
        ('x &', '&'),
        ('x >log', '>log'),
        ('x > log', '>'),
        ('x 2>&1', '2>&1'),
        ('x &>log', '&>log'),
        ('x <in', '<in'),
        ('(x)', None),
        ('( x )', '('),
        ('echo $HOME', '$HOME'),
        ('echo a${B}c', 'a${B}c'),
        ('echo $(date)', '$(date)'),
        ('echo `date`', '`date`'),
        ('A=1 x', 'A=1'),
        ('~/bin/x', '~/bin/x'),
        ('x "a" | "b"', '|'),
    ],
)
def test_shell_syntax_is_detected(command: str, word: str | None) -> None:
    assert shell_word(command) == word


@pytest.mark.parametrize(
    'command',
    [
        'lymph instance --config=conf/echo.yml',
        'sh -c \'echo "$A" | tr a b > log; wait &\'',
        'echo "a | b" \'$HOME\'',
        'x a\\|b \\$HOME',
        'x --url=http://host/?b=1&c=2',
        "lymph subscribe a.* '#'",
        'x A=1 --path=~/y 5$ a;b',
        'echo "it\'s > fine"',
    ],
)
def test_program_arguments_are_not_taken_for_shell_syntax(command: str) -> None:
    assert shell_word(command) is None
