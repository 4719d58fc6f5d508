"""Which links may be fetched, and which addresses are public."""

from __future__ import annotations

import pytest

from bridge.engine.delivery.public import is_public
from bridge.engine.media.guard import FetchFailed, checked, redirected

GATEWAY = "https://gateway.example"


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1"),
        *("172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7"),
        *("203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
        *("fc00::1", "fd00::1", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "5f00::1"),
        *("localhost", "", "0x7f.1", "2130706433"),
    ],
)
def test_addresses_of_any_other_kind_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/a.png",
        "https://cdn.example:443/a?sig=a%2Fb%3D&x=1",
        "https://93.184.216.34/a",
        "https://[2606:4700::1111]/a",
    ],
)
def test_a_link_to_the_internet_may_be_fetched_without_credentials(url: str) -> None:
    link = checked(url, GATEWAY)
    assert (str(link.url), link.is_own) == (url.replace(":443", ""), False) or str(link.url) == url


@pytest.mark.parametrize(
    ("url", "gateway"),
    [
        ("https://gateway.example/a", GATEWAY),
        ("https://gateway.example:443/a", GATEWAY),
        ("http://127.0.0.1:9001/a", "http://127.0.0.1:9001"),
        ("https://10.0.0.5:8443/files/a", "https://10.0.0.5:8443/api"),
    ],
)
def test_a_link_to_the_gateway_itself_may_be_fetched_wherever_that_is(url: str, gateway: str) -> None:
    assert checked(url, gateway).is_own


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://0.0.0.0/", "http://cdn.example/a"),
        *("https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/"),
        *("https://[::127.0.0.1]/", "https://169.254.169.254/latest", "https://100.64.0.1/", "https://[fd00::1]/"),
        *("https://192.88.99.1/", "https://224.0.0.1/", "https://[fe80::1%25lo]/", "https://[fe80::1%lo]/"),
        *("https://user:pw@cdn.example/", "https://gateway.example@evil.example/", "https://user@gateway.example/"),
        *("https://evil.example\\@gateway.example/", "https://cdn.example/a b", "https://cdn.example/a\tb"),
        *(
            "https://cdn.example/\n",
            "https://\uff43dn.example/",
            "https://\uff11\uff12\uff17.0.0.1/",
            "https://cdn.example/\0",
        ),
        *("file:///etc/passwd", "gopher://cdn.example/", "ftp://cdn.example/", "data:text/plain,a", "javascript:1"),
        *(
            "unix:///run/x",
            "//cdn.example/a",
            "cdn.example/a",
            "",
            "https://",
            "https:///a",
            "https://cdn.example:99999/",
        ),
        *(f"https://cdn.example:{port}/" for port in (0, 22, 25, 80, 5432, 6379, 8443, 65536)),
        *("https://gateway.example:8443/", "http://gateway.example/", f"https://cdn.example/{'a' * 9000}"),
    ],
)
def test_a_link_to_anywhere_else_is_refused_for_good(url: str) -> None:
    with pytest.raises(FetchFailed) as refused:
        checked(url, GATEWAY)
    assert refused.value.tries == 1
    assert url not in refused.value.reason or not url


@pytest.mark.parametrize("location", ["/b", "b", "https://cdn.example/b", "?x=1", "//cdn.example/b"])
def test_a_redirect_on_the_same_host_is_followed(location: str) -> None:
    assert redirected(checked("https://cdn.example/a", GATEWAY), location, GATEWAY).url.host == "cdn.example"


@pytest.mark.parametrize(
    "location",
    [
        *("https://evil.example/", "http://cdn.example/", "//evil.example/b", "https://127.0.0.1/"),
        *("https://cdn.example:8443/", "https://gateway.example/", "file:///etc/passwd", "https://u:p@cdn.example/"),
    ],
)
def test_a_redirect_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(FetchFailed):
        redirected(checked("https://cdn.example/a", GATEWAY), location, GATEWAY)
