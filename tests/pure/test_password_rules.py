"""Which passwords are taken: a long idea of one's own is, what everybody has thought of is not."""

import pytest

from dhos_connector_api.px.people.password_rules import LEAST, MOST, refusals


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "SecurePass123!",
        "Tr0ub4dor&3xyz",
        "نوافذ زرقاء كثيرة",
        "mưa rơi trên phố cũ",
        "9f8a7s6d5g4h3j2k",
        "x" * 7 + "kq7Lm2Vw",
        "7" * 20 + " ulmen am teich",
    ],
)
def test_an_idea_of_ones_own_is_taken(password: str) -> None:
    assert refusals(password, ("jdoe", None, "", "Doe")) == []


@pytest.mark.parametrize(
    "password",
    [
        "Password1234!",
        "P@ssw0rd2026!!",
        "passwordpassword",
        "hospital123456",
        "Welcome2026!!!",
        "administrator1",
        "123456789012",
        "qwertyuiop123",
        "abcdefghijklmn",
        "zyxwvutsrqpon",
        "aaaaaaaaaaaaaa",
        "abababababababab",
        "letmein letmein",
        "ILoveYou!ILoveYou!",
        "1qaz2wsx3edc4rfv",
        "            ",
        "pāsswôrd12345",
        "ｐａｓｓｗｏｒｄ１２３４",
    ],
)
def test_what_everybody_thinks_of_is_not(password: str) -> None:
    assert "is too easy to guess" in refusals(password)


def test_length_and_names() -> None:
    assert refusals("kq7Lm2Vw") == [f"must have at least {LEAST} characters"]
    assert refusals("correct horse " * 20) == [f"must have at most {MOST} characters"]
    assert refusals("river otter 77 kiln", ("River", "x")) == ["must not hold your name"]
    assert refusals("correct horse battery", ("cor",)) == []


def test_a_refusal_never_quotes_the_password() -> None:
    for password in ("Password1234!", "x", "y" * 300):
        assert all(password not in each for each in refusals(password, (password,)))
