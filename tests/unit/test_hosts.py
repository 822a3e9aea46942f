"""Where requests may go: tables of honest URLs, of tricks, and of what an operator writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.provider_kind import ProviderKind
from reconciler.protocols.hosts import is_loopback, origin_of, refusal, ruling

OPENAI = ProviderKind("openai", "openai", hosts=("api.openai.com", "*.ml.cloud.ibm.com"))
LOCAL = ProviderKind("ollama", "openai", loopback=True)
FROM_A_FILE = ProviderKind("mine", "openai", hosts=("evil.example",), loopback=True, built_in=False)


def may(url, kind=OPENAI, allowed=(), *, key=True):
    return refusal(url, kind, allowed, has_credential=key) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://api.openai.com",
        "https://API.OpenAI.com/v1/models/x",
        "https://api.openai.com:443/v1",
        "HTTPS://api.openai.com/v1?limit=1",
        "https://us-south.ml.cloud.ibm.com/ml/v1",
        "https://private.us-south.ml.cloud.ibm.com/",
    ],
)
def test_a_kinds_own_hosts_are_open(url):
    assert may(url)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.example/v1", id="another host"),
        pytest.param("https://api.openai.com.evil.example/", id="as a sub-domain"),
        pytest.param("https://evil-api.openai.com/", id="a longer label"),
        pytest.param("https://xapi.openai.com/", id="a letter before"),
        pytest.param("https://openai.com/", id="the parent"),
        pytest.param("https://ml.cloud.ibm.com/", id="a wildcard needs a label"),
        pytest.param("https://evilml.cloud.ibm.com/", id="a wildcard ends at a dot"),
        pytest.param("http://api.openai.com/v1", id="unencrypted"),
        pytest.param("http://api.openai.com:443/v1", id="unencrypted on that port"),
        pytest.param("https://api.openai.com:8443/v1", id="another port"),
        pytest.param("https://api.openai.com:0/", id="no port"),
        pytest.param("https://api.openai.com:99999/", id="an impossible port"),
        pytest.param("https://api.openai.com:/v1", id="an empty port"),
        pytest.param("https://api.openai.com@evil.example/", id="as a user"),
        pytest.param("https://api.openai.com:443@evil.example/", id="as a user with a password"),
        pytest.param("https://evil.example@api.openai.com/", id="any user at all"),
        pytest.param("https://evil.example\\@api.openai.com/", id="a backslash before a user"),
        pytest.param("https://api.openai.com\\.evil.example/", id="a backslash in the host"),
        pytest.param("https://api.openai.com\\evil", id="a backslash for a slash"),
        pytest.param("https://api.openai.com./v1", id="a trailing dot"),
        pytest.param("https://api..openai.com/", id="an empty label"),
        pytest.param("https://api.openai.com%2eevil.example/", id="an escape"),
        pytest.param("https://api.openai.com%00.evil.example/", id="an escaped NUL"),
        pytest.param("https://api.openai.com#.evil.example/", id="a fragment"),
        pytest.param("https://api.openai.com\t.evil.example/", id="a tab"),
        pytest.param("https://api.openai.com\n/", id="a line break"),
        pytest.param(" https://api.openai.com/", id="a space before"),
        pytest.param("https://\u0430pi.openai.com/", id="a Cyrillic letter"),
        pytest.param("https://api.openai\u3002com/", id="another kind of dot"),
        pytest.param("https://us-south.ml.cloud.ibm.com\u212a/", id="a sign whose lower case is a letter"),
        pytest.param("http\u017f://api.openai.com/", id="a long s in the scheme"),
        pytest.param("https://api.\u017fpeech.openai.com/", id="a long s in the host"),
        pytest.param("https://api.openai.com:\u0664\u0664\u0663/", id="digits of another script"),
        pytest.param("https://[fe80::1%25eth0]/", id="a zone"),
        pytest.param("https://0xa9fea9fe/latest", id="a cloud's metadata in hexadecimal"),
        pytest.param("https://2852039166/latest", id="a cloud's metadata in decimal"),
        pytest.param("https://0251.0376.0251.0376/", id="a cloud's metadata in octal"),
        pytest.param("https://169.254.43518/", id="a cloud's metadata in three parts"),
        pytest.param("https://[::ffff:169.254.169.254]/", id="a cloud's metadata as IPv6"),
        pytest.param("https://xn--pi-6kc.openai.com/", id="the same in punycode"),
        pytest.param("https:/api.openai.com/", id="one slash"),
        pytest.param("https:///api.openai.com/", id="three slashes"),
        pytest.param("//api.openai.com/", id="no scheme"),
        pytest.param("ftp://api.openai.com/", id="another scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://[api.openai.com]/", id="brackets"),
        pytest.param("https://" + "a" * 64 + ".openai.com/", id="too long a label"),
        pytest.param("https://169.254.169.254/latest", id="a cloud's metadata"),
        pytest.param("https://127.0.0.1/", id="loopback, which it does not live on"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_key_goes_nowhere_else(url):
    assert not may(url)


@pytest.mark.parametrize(
    ("url", "open_without_key"),
    [
        ("http://localhost:11434", True),
        ("http://LOCALHOST:11434/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.255.0.9/", True),
        ("http://[::1]:8000/v1", True),
        ("http://[0:0:0:0:0:0:0:1]:8000/v1", True),
        ("https://localhost/", True),
        ("http://localhost.:11434", False),
        ("http://localhost.evil.example/", False),
        ("http://my.localhost/", False),
        ("http://2130706433/", False),
        ("http://0x7f000001/", False),
        ("http://0177.0.0.1/", False),
        ("http://127.1/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://0.0.0.0:8000/", False),
        ("http://[::]:8000/", False),
        ("http://[::ffff:127.0.0.1]/", False),
        ("http://[fe80::1%25eth0]/", False),
        ("http://10.0.0.7:8000/", False),
        ("https://vllm.internal:8000/v1", False),
    ],
)
def test_loopback_is_open_to_kinds_that_live_there_while_no_key_is_sent(url, open_without_key):
    assert may(url, LOCAL, key=False) is open_without_key
    assert not may(url, LOCAL, key=True)
    assert not may(url, OPENAI, key=False)
    assert not may(url, FROM_A_FILE, key=False)


@pytest.mark.parametrize(
    ("entry", "url", "opened"),
    [
        ("evil.example", "https://evil.example/v1", True),
        ("Evil.Example", "https://evil.example/v1", True),
        (" evil.example ", "https://evil.example/v1", True),
        ("evil.example:443", "https://evil.example/v1", True),
        ("evil.example", "https://evil.example:8443/v1", False),
        ("evil.example:8443", "https://evil.example:8443/v1", True),
        ("evil.example:8443", "https://evil.example/v1", False),
        ("evil.example", "https://sub.evil.example/", False),
        ("*.evil.example", "https://sub.evil.example/", True),
        ("*.evil.example", "https://a.b.evil.example/", True),
        ("*.evil.example", "https://evil.example/", False),
        ("*.evil.example:8443", "https://sub.evil.example:8443/", True),
        ("*", "https://evil.example/", False),
        ("*.", "https://evil.example/", False),
        ("", "https://evil.example/", False),
        ("https://evil.example", "https://evil.example/", False),
        ("evil.example", "http://evil.example/", False),
        ("evil.example:80", "http://evil.example/", False),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/v1", True),
        ("127.0.0.1", "http://127.0.0.1:8080/v1", False),
        ("127.0.0.1", "http://127.0.0.1/v1", True),
        ("localhost:8080", "http://127.0.0.1:8080/v1", False),
        ("[::1]:8080", "http://[::1]:8080/v1", True),
        ("[::1]:8080", "http://[0::1]:8080/v1", True),
        ("::1", "https://[::1]/v1", True),
        ("[2001:db8::1]:8443", "https://[2001:DB8::1]:8443/", True),
        ("10.0.0.7:8443", "https://10.0.0.7:8443/", True),
        ("*.254", "https://169.254.169.254/", False),
        ("*.0.0.1", "https://127.0.0.1/", False),
        ("169.254.169.254", "https://169.254.169.254/", True),
        ("169.254.169.254", "https://[::ffff:169.254.169.254]/", False),
        ("bank.example", "https://ban\u212a.example/", False),
    ],
)
def test_an_operator_opens_exactly_what_is_written(entry, url, opened):
    assert may(url, OPENAI, (entry,)) is opened
    assert may(url, LOCAL, ("other.example", entry)) is opened


@pytest.mark.parametrize(
    ("kind", "url", "allowed", "key", "addresses"),
    [
        pytest.param(OPENAI, "https://api.openai.com/v1", (), True, "public", id="a kind's own host"),
        pytest.param(
            OPENAI, "https://api.openai.com/v1", ("api.openai.com",), True, "public",
            id="a kind's own host, whoever else names it",
        ),
        pytest.param(OPENAI, "https://gw.example/", ("gw.example",), True, "private", id="an operator's"),
        pytest.param(LOCAL, "https://gw.example/", ("*.example",), False, "private", id="by a wildcard"),
        pytest.param(OPENAI, "https://10.0.0.5/", ("10.0.0.5",), True, "private", id="an operator's address"),
        pytest.param(OPENAI, "http://localhost/", ("localhost",), True, "loopback", id="localhost, named"),
        pytest.param(OPENAI, "http://[::1]/", ("::1",), True, "loopback", id="loopback, named"),
        pytest.param(LOCAL, "http://localhost:11434/", (), False, "loopback", id="a kind that lives there"),
        pytest.param(OPENAI, "https://gw.example/", (), True, None, id="nobody's host"),
    ],
)  # fmt: skip
def test_who_opens_a_host_decides_which_addresses_it_may_stand_for(kind, url, allowed, key, addresses):
    ruled = ruling(url, kind, allowed, has_credential=key)
    assert (ruled.addresses if ruled.refusal is None else None) == addresses
    assert ruled.refusal == refusal(url, kind, allowed, has_credential=key)


def test_a_kind_from_the_files_has_no_hosts_of_its_own():
    assert not may("https://evil.example/", FROM_A_FILE)
    assert not may("https://evil.example/", FROM_A_FILE, key=False)
    assert may("https://evil.example/", FROM_A_FILE, ("evil.example",))


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://evil.example/v1", "evil.example"),
        ("https://evil.example:8443/v1", "evil.example:8443"),
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("http://localhost/", "localhost"),
    ],
)
def test_the_reason_says_exactly_what_to_write(url, entry):
    reason = refusal(url, OPENAI, (), has_credential=True)
    assert reason.endswith(f"RECONCILER_ALLOWED_HOSTS={entry}")
    assert may(url, OPENAI, (entry,))


def test_the_reason_repeats_nothing_of_a_url_that_may_hide_a_key():
    reason = refusal("https://sk-canary-key@evil.example/sk-canary-key", OPENAI, (), has_credential=True)
    assert "canary" not in reason


@given(st.text(alphabet="htps:/.@\\#?[]%0178xaf api.openai.com\u0430\u3002\u017f\u212a\t\n-", max_size=60))
def test_whatever_is_open_is_read_the_same_by_the_http_library(text):
    import httpx2

    for url in (text, f"https://{text}", f"https://api.openai.com{text}"):
        origin = origin_of(url)
        if origin is not None:
            read = httpx2.URL(url)
            default = {"https": 443, "http": 80}[read.scheme]
            assert (read.scheme, read.userinfo, read.port or default) == (origin.scheme, b"", origin.port)
            assert read.host == origin.host or is_loopback(read.host) == is_loopback(origin.host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_this_machine(host):
    assert is_loopback(host)
