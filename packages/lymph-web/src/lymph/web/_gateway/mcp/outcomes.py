"""What became of a call, as a model reads it.

An error of a method is a result too, with ``isError``, so that the model can correct itself. Its
text says whether the method may have run; programs find the same in ``_meta``::

    {"isError": true,
     "content": [{"type": "text", "text": "There was no answer. (timeout; it may have run)"}],
     "_meta": {"lymph/problem": {"reason": "timeout", "may_have_run": true}}}
"""

from __future__ import annotations

from typing import Any, Final

from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.json_text import json_text
from lymph.web._gateway.mcp.tools import returns_object
from lymph.web._gateway.problems import CallProblem

__all__ = ['PROBLEM', 'problem_result', 'success']

PROBLEM: Final = 'lymph/problem'


def success(method: AllowedMethod, result: Any) -> dict[str, Any]:
    """Return the result of a call: structured as the tool's schema says, and as text."""
    text = result if isinstance(result, str) else json_text(result)
    whole = isinstance(result, dict) and returns_object(method)
    return {
        'content': [_text(text)],
        'structuredContent': result if whole else {'result': result},
        'isError': False,
    }


def problem_result(problem: CallProblem) -> dict[str, Any]:
    """Return the result of a call that failed."""
    facts: dict[str, Any] = {
        'reason': problem.reason,
        'may_have_run': problem.may_have_run,
        **problem.more,
    }
    if problem.retry_after is not None:
        facts['retry_after'] = problem.retry_after
    kind = problem.more.get('error_type')
    ran = 'it may have run' if problem.may_have_run else 'it did not run'
    detail = f'{kind}: {problem.detail}' if kind else problem.detail
    return {
        'content': [_text(f'{detail} ({problem.reason}; {ran})')],
        'isError': True,
        '_meta': {PROBLEM: facts},
    }


def _text(text: str) -> dict[str, Any]:
    return {'type': 'text', 'text': text}
