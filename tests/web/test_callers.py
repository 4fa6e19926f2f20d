"""How often may who come, and from which pages?"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from index.errors import SettingError
from search.history import History
from web.app import create_app
from web.callers import Rates
from web.current import CurrentEngine
from web.keys import Keys
from web.settings import Settings

Serve = Callable[..., FlaskClient]


@pytest.fixture
def serve(follower: CurrentEngine, history: History, settings: Settings) -> Serve:
    """Serve with some settings on an address that others reach, unless told."""

    def make(host: str = "0.0.0.0", **changed: object) -> FlaskClient:
        changed_settings = replace(settings, **changed)  # type: ignore[arg-type]  # as named
        app = create_app(follower, history, changed_settings, host)
        return app.test_client()

    return make


def asked(client: FlaskClient, times: int, **headers: str) -> list[int]:
    """Return the statuses of so many requests."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = "/api/v1/suggest?q=kosm"
    return [client.get(url, headers=named).status_code for _ in range(times)]


# -- rates --------------------------------------------------------------------------


def test_a_burst_is_followed_by_an_even_pace() -> None:
    rates = Rates()
    assert [rates.wait("x", 6, 100.0) for _ in range(6)] == [0.0] * 6
    assert rates.wait("x", 6, 100.0) == pytest.approx(10)
    assert rates.wait("x", 6, 104.0) == pytest.approx(6)
    assert rates.wait("x", 6, 110.0) == 0.0
    assert rates.wait("x", 6, 110.0) == pytest.approx(10)
    assert rates.wait("y", 6, 110.0) == 0.0
    assert [rates.wait("x", 6, 1000.0) for _ in range(6)] == [0.0] * 6


@given(st.integers(1, 50), st.lists(st.floats(0, 20), max_size=200))
def test_no_minute_has_more_than_a_burst_and_its_pace(
    rate: int, gaps: list[float]
) -> None:
    rates, now, admitted = Rates(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if rates.wait("x", rate, now) == 0:
            admitted.append(now)
    for start in admitted:
        within = [each for each in admitted if start <= each < start + 60]
        assert len(within) <= 2 * rate


NEED = "grounded captioning on an edge device"


def typed(rates: Rates, needs: Iterable[str], at: float = 0.0) -> list[float]:
    """Return how long a caller who types some needs is to wait for each."""
    return [rates.wait("x", 6, at, ("search", each)) for each in needs]


def test_one_burst_of_typing_counts_as_few() -> None:
    rates = Rates()
    letters = [NEED[:end] for end in range(1, len(NEED) + 1)]
    assert not any(typed(rates, [*letters, NEED[:-1], NEED[:-2]]))
    assert typed(rates, ["another", "and one more"])[-1] > 0


def test_typing_has_its_limit_too() -> None:
    waits = typed(Rates(), ["a" * length for length in range(1, 100)])
    assert [wait > 0 for wait in waits].index(True) == 51


def test_only_typing_is_cheap() -> None:
    assert typed(Rates(), [NEED] * 7)[-1] > 0
    assert typed(Rates(), ["a", "b"] * 4)[-1] > 0
    rates = Rates()  # a burst is over after ten seconds
    waits = [rates.wait("x", 1, at, ("search", NEED[:end])) for at, end in LATE]
    assert waits == pytest.approx([0, 49])


LATE = ((0.0, 5), (11.0, 6))


def test_as_one_types_one_is_not_told_to_wait(serve: Serve) -> None:
    client = serve()
    for _ in range(3):
        for end in range(3, len(NEED)):
            assert client.get(f"/search?q={NEED[:end]}").status_code == 200
            assert client.get(f"/api/v1/suggest?q={NEED[:end]}").status_code == 200


def test_who_was_told_to_wait_may_come_then() -> None:
    rates = Rates()
    now = 0.0
    for _ in range(100):
        if wait := rates.wait("x", 7, now):
            now += wait + 1e-6
            assert rates.wait("x", 7, now) == 0
    assert now == pytest.approx((100 - 7) / 7 * 60, rel=0.001)


def test_only_so_many_callers_are_remembered() -> None:
    rates = Rates(remembered=3)
    for number in range(10):
        rates.wait(f"caller {number}", 1, 0.0)
    assert len(rates._free_at) == 3
    assert rates.wait("caller 9", 1, 0.0) > 0
    assert rates.wait("caller 0", 1, 0.0) == 0


# -- limits -------------------------------------------------------------------------


def test_on_a_loopback_address_there_is_no_limit(serve: Serve) -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.8.0.1"):
        assert set(asked(serve(host), 70)) == {200}


def test_elsewhere_sixty_a_minute_are_answered(serve: Serve) -> None:
    client = serve()
    assert asked(client, 61) == [200] * 60 + [429]
    response = client.get("/api/v1/search?q=captions")
    assert response.status_code == 429
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "1"
    assert "60 requests a minute; come again in 1 s" in response.get_json()["detail"]
    assert client.get("/").status_code == 429
    for free in ("/healthz", "/readyz", "/metrics", "/static/style.css"):
        with client.get(free) as uncounted:
            assert uncounted.status_code == 200


def test_a_key_may_ask_more_often(serve: Serve, settings: Settings) -> None:
    key = Keys(settings.home).add("robot")
    client = serve(rate=2, keyed_rate=5)
    assert asked(client, 3) == [200, 200, 429]
    assert asked(client, 3, Authorization=f"Bearer {key}") == [200] * 3
    assert asked(client, 3, X_Api_Key=key) == [200, 200, 429]
    assert asked(serve(keyed_rate=0), 70, X_Api_Key=key) == [200] * 70


def test_a_key_that_is_unknown_is_refused(serve: Serve, settings: Settings) -> None:
    for client in (serve(), serve("127.0.0.1")):
        response = client.get(
            "/api/v1/search?q=captions", headers={"Authorization": "Bearer nonsense"}
        )
        assert response.status_code == 401
        assert response.content_type == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "not known, or was revoked" in response.get_json()["detail"]
    assert asked(serve(rate=2), 3, X_Api_Key="guess") == [401, 401, 429]
    other = asked(serve(), 1, Authorization="Basic dXNlcjpwYXNz")
    assert other == [200]  # it is for whatever stands before the server


def test_a_revoked_key_is_refused_at_once(serve: Serve, settings: Settings) -> None:
    keys, client = Keys(settings.home), serve()
    key = keys.add("robot")
    assert asked(client, 1, X_Api_Key=key) == [200]
    keys.revoke("robot")
    assert asked(client, 1, X_Api_Key=key) == [401]


def test_callers_are_told_apart_by_address(serve: Serve) -> None:
    client = serve(rate=1)

    def status(address: str, **headers: str) -> int:
        response = client.get(
            "/api/v1/suggest?q=kosm",
            environ_overrides={"REMOTE_ADDR": address},
            headers=headers,
        )
        return response.status_code

    assert status("192.0.2.1") == 200
    assert status("192.0.2.1") == 429
    assert status("192.0.2.2") == 200
    assert status("2001:db8:1:2::1") == 200
    assert status("2001:db8:1:2:ffff::9") == 429
    assert status("2001:db8:1:3::1") == 200
    assert status("192.0.2.1", **{"X-Forwarded-For": "198.51.100.1"}) == 429


def test_a_proxy_says_who_asks_if_it_is_expected(serve: Serve) -> None:
    client = serve(rate=1, proxies=1)
    first = {"X-Forwarded-For": "198.51.100.1"}
    second = {"X-Forwarded-For": "198.51.100.9, 198.51.100.2"}
    url = "/api/v1/suggest?q=kosm"
    statuses = [
        client.get(url, headers=headers).status_code
        for headers in (first, first, second, second)
    ]
    assert statuses == [200, 429, 200, 429]


def test_no_address_is_written_to_the_disk(
    serve: Serve, settings: Settings, history: History
) -> None:
    client = serve(rate=5)
    address = {"REMOTE_ADDR": "192.0.2.77"}
    for _ in range(7):
        client.get("/api/v1/search?q=captions", environ_overrides=address)
    history.flush()
    for path in settings.home.rglob("*"):
        if path.is_file():
            assert b"192.0.2.77" not in path.read_bytes(), path


# -- pages of other origins ---------------------------------------------------------

HERE, THERE = "https://app.example", "https://evil.example"


def test_no_other_page_may_ask_unless_it_is_named(serve: Serve) -> None:
    url = "/api/v1/suggest?q=kosm"
    closed = serve().get(url, headers={"Origin": HERE})
    assert "Access-Control-Allow-Origin" not in closed.headers
    client = serve(origins=(HERE,))
    named = client.get(url, headers={"Origin": HERE})
    assert named.headers["Access-Control-Allow-Origin"] == HERE
    assert "Origin" in named.headers["Vary"]
    other = client.get(url, headers={"Origin": THERE})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Origin" in other.headers["Vary"]
    page = client.get("/", headers={"Origin": HERE})
    assert "Access-Control-Allow-Origin" not in page.headers


def test_a_page_that_is_named_may_post(serve: Serve) -> None:
    client = serve(origins=(HERE,))
    url = "/api/v1/resolve"
    before = client.options(
        url, headers={"Origin": HERE, "Access-Control-Request-Method": "POST"}
    )
    assert before.status_code == 200
    assert "POST" in before.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in before.headers["Access-Control-Allow-Headers"]
    body = {"intent": "captions"}
    assert client.post(url, json=body, headers={"Origin": HERE}).status_code == 200
    refused = client.post(url, json=body, headers={"Origin": THERE})
    assert refused.status_code == 403
    assert "INSTEAD_ORIGINS" in refused.get_json()["detail"]


def test_an_error_may_be_read_by_a_page_that_is_named(serve: Serve) -> None:
    client = serve(origins=(HERE,), rate=1)
    for status in (404, 429):
        response = client.get("/api/v1/nothing", headers={"Origin": HERE})
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == HERE


# -- settings -----------------------------------------------------------------------


def test_limits_are_settings() -> None:
    unset = Settings.read({"INSTEAD_HOME": "/x"})
    assert unset.home == Path("/x")
    assert unset.rates("127.0.0.1") == (0, 0)
    assert unset.rates("0.0.0.0") == unset.rates("example.org") == (60, 300)
    given_ = Settings.read(
        {
            "INSTEAD_RATE": "10",
            "INSTEAD_KEYED_RATE": "0",
            "INSTEAD_ORIGINS": "https://a.example, http://localhost:3000/",
            "INSTEAD_PROXIES": "1",
        }
    )
    assert given_.rates("127.0.0.1") == given_.rates("::") == (10, 0)
    assert given_.origins == ("https://a.example", "http://localhost:3000")
    assert given_.proxies == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSTEAD_RATE", "-1"),
        ("INSTEAD_RATE", "many"),
        ("INSTEAD_KEYED_RATE", "1.5"),
        ("INSTEAD_PROXIES", "yes"),
        ("INSTEAD_ORIGINS", "*"),
        ("INSTEAD_ORIGINS", "example.org"),
        ("INSTEAD_ORIGINS", "https://a.example/path"),
    ],
)
def test_a_setting_that_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"{name} should be"):
        Settings.read({name: value})
