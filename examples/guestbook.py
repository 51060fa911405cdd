"""A guest book with sessions, a form with an upload, and static files.

http://127.0.0.1:8080/ has a form to sign in. The name is kept in a signed cookie. Entries may have
a photo, which is kept in a folder and sent with ranges and conditional requests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from html import escape
from pathlib import Path

from werkzeug.exceptions import BadRequest, Forbidden, UnsupportedMediaType
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect, secure_filename, send_from_directory

from lymph.web import RequestHandler, WebServiceInterface, errorhandler

STATIC = Path(__file__).parent / 'static'
DAY = 24 * 60 * 60  # seconds
IMAGES = {'.png': b'\x89PNG', '.jpg': b'\xff\xd8', '.gif': b'GIF8'}


class Sessions:
    """Keeps a session in a cookie that its reader cannot change.

    Whoever has the cookie can read it. itsdangerous does the same with more choices.
    """

    def __init__(self, secret):
        self.key = hashlib.sha256(secret.encode()).digest()

    def read(self, request):
        """Return the session of a request, an empty one without a valid cookie."""
        text, _, signature = request.cookies.get('session', '').partition('.')
        if not hmac.compare_digest(signature.encode(), self.sign(text).encode()):
            return {}
        session = json.loads(base64.urlsafe_b64decode(text))
        return session if session['until'] > time.time() else {}

    def write(self, response, **session):
        """Let a response set the session."""
        data = json.dumps({**session, 'until': time.time() + DAY})
        text = base64.urlsafe_b64encode(data.encode()).decode()
        cookie = f'{text}.{self.sign(text)}'
        response.set_cookie('session', cookie, max_age=DAY, httponly=True, samesite='Lax')

    def sign(self, text):
        return hmac.new(self.key, text.encode(), 'sha256').hexdigest()


class Entries(RequestHandler):
    def get(self):
        name = self.interface.sessions.read(self.request).get('name')
        return self.interface.page(name)

    def post(self):
        name = self.interface.sessions.read(self.request).get('name')
        if name is None:
            raise Forbidden('Sign in first.')
        text = self.request.form.get('text', '').strip()
        if not text:
            raise BadRequest('An entry needs a text.')
        photo = self.request.files.get('photo')
        self.interface.add(name, text, photo if photo and photo.filename else None)
        return redirect(self.url_for(Entries), 303)


class Guestbook(WebServiceInterface):
    url_map = Map(
        [
            Rule('/', endpoint=Entries),
            Rule('/sign-in', endpoint='sign_in', methods=['POST']),
            Rule('/sign-out', endpoint='sign_out', methods=['POST']),
            Rule('/photos/<name>', endpoint='photo', methods=['GET']),
            Rule('/static/<path:name>', endpoint='static', methods=['GET']),
        ]
    )

    def apply_config(self, config):
        super().apply_config(config)
        self.sessions = Sessions(config['secret'])
        self.photos = Path(config['photos']).absolute()
        self.entries = []

    def on_start(self):
        self.photos.mkdir(parents=True, exist_ok=True)
        super().on_start()

    def sign_in(self, request):
        name = request.form.get('name', '').strip()
        if not name:
            raise BadRequest('What is your name?')
        response = redirect(self.url_for(request, Entries), 303)
        self.sessions.write(response, name=name[:50])
        return response

    def sign_out(self, request):
        response = redirect(self.url_for(request, Entries), 303)
        response.delete_cookie('session')
        return response

    def add(self, name, text, photo):
        saved = None
        if photo is not None:
            kind = Path(secure_filename(photo.filename)).suffix.lower()
            if not photo.stream.read(4).startswith(IMAGES.get(kind, b'?')):
                raise UnsupportedMediaType(f'A photo is one of {", ".join(IMAGES)}.')
            photo.stream.seek(0)
            saved = f'{secrets.token_hex(8)}{kind}'
            photo.save(self.photos / saved)
        self.entries.append((name, text, saved))

    def photo(self, request, name):
        return send_from_directory(self.photos, name, request.environ)

    def static(self, request, name):
        return send_from_directory(STATIC, name, request.environ, max_age=60)

    @errorhandler(400, 403, 415)
    def refused(self, request, error):
        return f'<p>{escape(error.description)} <a href="/">Back</a></p>'

    def page(self, name):
        entries = ''.join(
            f'<li>{escape(who)}: {escape(text)}{(photo and f"<img src=photos/{photo}>") or ""}</li>'
            for who, text, photo in self.entries
        )
        form = SIGN_IN if name is None else ADD.format(name=escape(name))
        return PAGE.format(entries=entries, form=form)


PAGE = """<!doctype html>
<html lang="en">
<title>Guest book</title>
<link rel="stylesheet" href="static/guestbook.css">
<h1>Guest book</h1>
<ul>{entries}</ul>
{form}
</html>
"""
SIGN_IN = """<form action="sign-in" method="post">
<label>Your name <input name="name" required></label> <button>Sign in</button>
</form>"""
ADD = """<form method="post" enctype="multipart/form-data">
<label>{name} writes <input name="text" required></label>
<label>Photo <input name="photo" type="file"></label> <button>Add</button>
</form>
<form action="sign-out" method="post"><button>Sign out</button></form>"""
