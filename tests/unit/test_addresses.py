"""Which addresses a host may stand for: tables of the public internet, private networks and this machine."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.protocols.addresses import is_address, refusal_among, refused

# address, what is wrong with it for a public service, whether the operator's word opens it
SPECIAL = [
    ("10.0.0.5", "a private address", True),
    ("172.16.0.1", "a private address", True),
    ("172.31.255.255", "a private address", True),
    ("192.168.1.1", "a private address", True),
    ("fd12:3456::1", "a private address", True),
    ("fec0::1", "a private address", True),
    ("127.0.0.1", "a loopback address", True),
    ("127.8.9.10", "a loopback address", True),
    ("::1", "a loopback address", True),
    ("100.64.0.1", "CGNAT", True),
    ("100.127.255.255", "CGNAT", True),
    ("198.18.0.1", "benchmarks", True),
    ("198.19.255.255", "benchmarks", True),
    ("2001:2::1", "benchmarks", True),
    ("192.0.2.1", "documents", True),
    ("198.51.100.1", "documents", True),
    ("203.0.113.1", "documents", True),
    ("2001:db8::1", "documents", True),
    ("192.0.0.8", "reserved", True),
    ("240.0.0.1", "reserved", True),
    ("192.88.99.1", "a tunnel", True),
    ("4000::1", "no address of the public internet", True),
    # The same as 0.0.0.2
    ("::2", "an unspecified address", False),
    ("169.254.1.1", "a link-local address", False),
    ("fe80::1", "a link-local address", False),
    ("fe80::1%eth0", "a link-local address", False),
    ("febf::1", "a link-local address", False),
    ("169.254.169.254", "the metadata service of a cloud", False),
    ("169.254.170.2", "the metadata service of a cloud", False),
    ("100.100.100.200", "the metadata service of a cloud", False),
    ("168.63.129.16", "the metadata service of a cloud", False),
    ("fd00:ec2::254", "the metadata service of a cloud", False),
    ("0.0.0.0", "an unspecified address", False),
    ("0.1.2.3", "an unspecified address", False),
    ("::", "an unspecified address", False),
    ("224.0.0.1", "a multicast address", False),
    ("239.255.255.255", "a multicast address", False),
    ("ff02::1", "a multicast address", False),
    ("255.255.255.255", "a broadcast address", False),
    # One of IPv4 in the clothes of IPv6
    ("::ffff:10.0.0.5", "a private address, written as one of IPv6", True),
    ("::ffff:127.0.0.1", "a loopback address, written as one of IPv6", True),
    ("::ffff:169.254.169.254", "the metadata service", False),
    ("64:ff9b::a00:5", "a private address, written as one of IPv6", True),
    ("64:ff9b::a9fe:a9fe", "the metadata service", False),
    ("64:ff9b:1::a9fe:a9fe", "the metadata service", False),
    ("64:ff9b:1::5db8:d822", "no address of the public internet", True),
    ("::ffff:0:a9fe:a9fe", "the metadata service", False),
    ("::7f00:1", "a loopback address, written as one of IPv6", True),
    ("::a9fe:a9fe", "the metadata service", False),
    ("2002:7f00:1::1", "a loopback address, written as one of IPv6", True),
    ("2002:a9fe:a9fe::1", "the metadata service", False),
    ("2002:5db8:d822::1", "a tunnel", True),
    ("2001:0:5db8:d822::5601:5601", "the metadata service", False),
    ("2001:0:a00:5::a247:27dd", "a private address, written as one of IPv6", True),
    ("2001:0:5db8:d822::a247:27dd", "a tunnel", True),
]
PUBLIC = [
    *("93.184.216.34", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "169.253.0.1"),
    *("192.0.1.1", "198.17.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2620:0:2d0:200::7"),
    *("::ffff:93.184.216.34", "64:ff9b::5db8:d822"),
]
NEVER = ("loopback", "link_local", "multicast", "unspecified")
LOOPBACK = ("127.0.0.1", "127.8.9.10", "::1")


@pytest.mark.parametrize(("address", "words", "opened"), SPECIAL)
def test_a_special_address_is_no_public_service(address, words, opened):
    assert words in refused(address, "public")
    assert (refused(address, "private") is None) is opened
    assert (refused(address, "loopback") is None) is (address in LOOPBACK)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open_and_no_loopback(address):
    assert refused(address, "public") is None
    assert refused(address, "private") is None
    assert refused(address, "loopback") == "not this machine"


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "::g"])
@pytest.mark.parametrize("policy", ["public", "private", "loopback"])
def test_what_is_no_address_is_refused_and_never_guessed_at(text, policy):
    assert refused(text, policy) == "no IP address"
    assert not is_address(text)


@pytest.mark.parametrize(
    ("found", "policy", "sentence"),
    [
        (("93.184.216.34",), "public", None),
        ((), "public", None),
        (("10.0.0.5", "fd00::1", "127.0.0.1"), "private", None),
        (("127.0.0.1", "::1"), "loopback", None),
        (("10.0.0.5",), "public", "a.example stands for 10.0.0.5, which is a private address; n"),
        (("93.184.216.34", "::1"), "public", "a.example stands for ::1, which is a loopback address"),
        (("10.0.0.5", "169.254.169.254"), "private", "169.254.169.254, which is the metadata service"),
        (("127.0.0.1", "10.0.0.5"), "loopback", "a.example stands for 10.0.0.5, which is not this machine"),
    ],
)  # fmt: skip
def test_one_wrong_address_among_many_refuses_the_host(found, policy, sentence):
    reason = refusal_among("a.example", found, policy)
    assert (reason is None) if sentence is None else (sentence in reason)


@pytest.mark.parametrize(
    ("host", "policy", "opened"),
    [
        ("169.254.169.254", "private", True),
        ("fe80::1", "private", True),
        ("169.254.169.254", "public", False),
        ("10.0.0.5", "public", False),
        ("10.0.0.5", "loopback", False),
    ],
)
def test_an_address_that_the_operator_wrote_out_is_his_word(host, policy, opened):
    reason = refusal_among(host, (host,), policy)
    assert (reason is None) is opened
    assert reason is None or reason.startswith(f"{host} is ")


@given(st.ip_addresses(v=4))
def test_clothes_of_another_version_change_no_answer(address):
    number = int(address)
    for policy in ("public", "private"):
        bare = refused(str(address), policy)
        for prefix in (0xFFFF << 32, 0x64FF9B << 96):
            assert (refused(str(ipaddress.IPv6Address(prefix + number)), policy) is None) is (bare is None)


@given(st.ip_addresses())
def test_what_is_public_is_so_for_the_library_and_under_the_operators_word(address):
    if refused(str(address), "public") is None:
        assert refused(str(address), "private") is None
        inside = getattr(address, "ipv4_mapped", None) or address
        assert inside.version == 6 or inside.is_global
        assert not any(getattr(inside, f"is_{word}") for word in NEVER)
