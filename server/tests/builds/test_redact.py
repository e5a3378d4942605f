"""D-11: no secret is stored, however it was cut into pieces, and ordinary text is neither changed nor delayed."""

import itertools
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cofounder_server.builds import redact
from cofounder_server.builds.redact_patterns import PRIVATE_KEY_LONGEST

OWN = ("correct-horse battery/staple", "hunter2hunter2", "hunter2hunter2-and-longer", 'quote"d\nsecret')

# Written in halves, so that no scanner takes this file for a leak.
BODY = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1cDe4gHi7kLm0oPq3s"
PEM_BODY = "\n".join([BODY + BODY[:20]] * 6)

# kind -> (text, canary: what must not be seen)
CANARIES = {
    "anthropic-key": ("key=sk-" + f"ant-api03-{BODY} end", BODY),
    "openai-key": ("OPENAI sk-" + f"proj-{BODY}.", BODY),
    "openai-key after an escape": ("a\\nsk-" + f"{BODY}\\n", BODY),
    "stripe-key": ("sk_" + f"live_{BODY}", BODY),
    "stripe-webhook-secret": ("whsec" + f"_{BODY}==", BODY),
    "aws-key-id": ("AKIA" + "IOSFODNN7EXAMPLE,", "IOSFODNN7EXAMPLE"),
    "aws-secret-key": (f"AWS_SECRET_ACCESS_KEY = '{BODY[:40]}'", BODY[:40]),
    "github-token": ("ghp" + f"_{BODY}", BODY),
    "github-token, fine-grained": ("github" + f"_pat_{BODY}_x", BODY),
    "gitlab-token": ("glpat" + f"-{BODY[:20]}\n", BODY[:20]),
    "slack-token": ("xoxb" + "-123456789012-abcDEF ", "123456789012"),
    "slack-webhook": ("https://hooks.slack" + ".com/services/T000/B000/XXXXyyyyZZZZ", "XXXXyyyyZZZZ"),
    "google-key": ("AIza" + f"{BODY[:35]}&q=1", BODY[:35]),
    "google-secret": ("GOCSPX" + f"-{BODY[:28]}", BODY[:28]),
    "jwt": (f"token eyJ{BODY}.eyJ{BODY}.{BODY} end", BODY),
    "password": ("psql postgres://admin:s3cr3tpass@db:5432/x ok", "s3cr3tpass"),
    "password with an @": ("redis://:p@ss:w0rd@cache:6379\n", "w0rd"),
    "password at the end": ("amqp://u:s3cr3tpass@host", "s3cr3tpass"),
    "authorization, bearer": ("Authorization: Bearer abcdefgh ", "abcdefgh"),
    "authorization, basic": ('{"authorization": "Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz"),
    "bearer": (f"-H bearer {BODY}", BODY),
    "api-key": (f"x-api-key: {BODY}", BODY),
    "private-key": (f"a\n-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA PRIVATE KEY-----\nb", BODY),
    "private-key, escaped": (f'"-----BEGIN PRIVATE KEY-----\\n{BODY}\\n-----END PRIVATE KEY-----\\n"', BODY),
    "private-key, encrypted": (
        f"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{PEM_BODY}\n-----END EC PRIVATE KEY-----",
        BODY,
    ),
    "private-key without end": (f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}", BODY),
    "own": (f"it is {OWN[0]}!", OWN[0]),
    "own, twice": (f"{OWN[1]}{OWN[1]}", OWN[1]),
    "own, the longer of two": (f"{OWN[2]}.", "longer"),
    "own, percent-encoded": (f"p={quote(OWN[0], safe='')}&", quote(OWN[0], safe="")),
    "own, escaped": ('{"p": "quote\\"d\\nsecret"}', 'd\\nsecret"'),
    "own, in a URL": (f"http://x:{OWN[1]}@h/", OWN[1]),
}

PROSE = (
    "The coder wrote src/app.py and the tests ran: 3 passed, 1 failed. See https://example.com/docs?page=2#top or "
    "http://127.0.0.1:8080/health. A task-force of scikit-learn users asked about sk-learn pipelines, eyJustice and "
    "the bearer of news; Authorization: required. AKIA is a prefix; so is ghp_ and -----BEGIN. x = {'a': [1, 2]}\n"
    "if '-----BEGIN PRIVATE KEY-----' in text: raise ValueError('no keys, please; use the vault for it')\n"
    "url = f'postgres://{user}:{password}@{host}/db'; other = 'redis://:${REDIS_PASSWORD}@cache'; Bearer {token}\n"
    "disk-management-system-for-people, ask-about-internationalization-now, mail a@b.c at 10:30. 漢字 👩\u200d💻 "
)


def in_pieces(text: str, *cuts: int) -> str:
    redactor = redact.Redactor(OWN)
    edges = [0, *cuts, len(text)]
    shown = [redactor.feed("c", text[begin:end]) for begin, end in itertools.pairwise(edges)]
    return "".join([*shown, redactor.flush("c")])


@pytest.mark.parametrize("name", CANARIES)
def test_d11_the_canary_is_replaced_and_named(name: str) -> None:
    text, canary = CANARIES[name]
    shown = in_pieces(text)
    kind = "secret" if name.startswith("own") else name.split(",")[0].split(" ")[0]
    assert f"[redacted:{kind}]" in shown or (name == "own, in a URL" and "[redacted:password]" in shown)
    assert canary not in shown
    assert redact.Redactor(OWN).whole(text) == shown


@pytest.mark.parametrize("name", CANARIES)
def test_d11_a_secret_split_at_any_border_is_caught(name: str) -> None:
    text, _ = CANARIES[name]
    whole = in_pieces(text)
    assert {in_pieces(text, cut) for cut in range(len(text) + 1)} == {whole}
    assert in_pieces(text, *range(1, len(text))) == whole
    if len(text) <= 60:
        assert {in_pieces(text, *cuts) for cuts in itertools.combinations(range(1, len(text)), 2)} == {whole}


def test_d11_a_secret_between_texts_leaves_the_texts_alone() -> None:
    for name, (text, _) in CANARIES.items():
        shown = in_pieces(f"before it {text} after it")
        assert shown.startswith("before it ")
        assert shown.endswith(" after it") or name == "private-key without end"


FRAGMENTS = st.sampled_from(
    ["sk-", "sk-ant-", "ta", "://", "u:", "p@", "@", " ", "\n", ".", "eyJ", BODY, BODY[:12], "bearer ", "Bearer",
     "-----BEGIN ", "PRIVATE KEY", "-----", "-----END ", "authorization:", "AKIA", "hunter2", "-and-longer", "\\n", "é",
     "1", "x-api-key: ", "secret_access_key", "=", "xoxb-", "AI", "za", "s", "k", "h", "-"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=14), st.data())
def test_d11_the_output_does_not_depend_on_the_cuts(fragments: list[str], data: st.DataObject) -> None:
    text = "".join(fragments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    assert in_pieces(text, *cuts) == in_pieces(text) == in_pieces(text, *range(1, len(text)))


def test_ordinary_text_is_not_changed() -> None:
    assert in_pieces(PROSE) == PROSE
    assert in_pieces(PROSE, *range(1, len(PROSE))) == PROSE


def test_ordinary_prose_is_never_held_back_at_a_space() -> None:
    redactor = redact.Redactor(OWN)
    prose = "It was the architect who asked, and the tests answered: see https://example.com/a (or b) as agreed. "
    for word in prose.split(" "):
        assert redactor.feed("c", f"{word} ") == f"{word} "
    assert redactor.flush("c") == ""


def test_only_a_suffix_that_may_become_a_secret_is_held_back() -> None:
    redactor = redact.Redactor(OWN)
    assert redactor.feed("c", "key: sk-ant") == "key: "
    assert redactor.feed("c", "ique;") == "sk-antique;"
    assert redactor.feed("c", "; hunter") == "; "
    assert redactor.feed("c", "s.") == "hunters."


def test_channels_are_streams_of_their_own() -> None:
    redactor = redact.Redactor(OWN)
    assert redactor.feed("one", "hunter2") == ""
    assert redactor.feed("two", "hunter2") == ""
    assert redactor.feed("one", " no") == "hunter2 no"
    assert redactor.feed("two", "hunter2.") == "[redacted:secret]."


def test_a_flushed_channel_begins_anew() -> None:
    redactor = redact.Redactor(OWN)
    redactor.feed("c", "hunter2")
    assert redactor.flush("c") == "hunter2"
    assert redactor.feed("c", "hunter2") == ""
    assert redactor.flush("never fed") == ""


def test_what_is_held_back_is_bounded() -> None:
    for endless in ("eyJ" + "a" * 20_000, "://user:" + "p" * 20_000, "Authorization:" + " " * 20_000):
        redactor = redact.Redactor(OWN)
        shown = redactor.feed("c", endless)
        assert len(endless) - len(shown) <= redact.LONGEST_HELD


def test_a_private_key_that_never_ends_is_redacted_to_the_bound_and_no_further() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + "A" * (PRIVATE_KEY_LONGEST + 500)
    shown = in_pieces(text)
    assert shown.startswith("[redacted:private-key]")
    assert 0 < shown.count("A") < 600
    assert in_pieces(text, 40, 10_000, PRIVATE_KEY_LONGEST, PRIVATE_KEY_LONGEST + 30) == shown


def test_short_values_are_not_taken_for_secrets() -> None:
    assert redact.Redactor(["", "a", "dev"]).whole("a dev server") == "a dev server"
