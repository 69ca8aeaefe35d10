"""`send` and `generate` as their users call them: what arrives, what is shown, the exit status."""

import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dhos_connector_api.cli.main import main
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.simulate.answers import Answer, Summary, percentile
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import serving
from tests.rigs.certificates import Authority
from tests.rigs.mllp_receivers import Misbehaving, python_hl7, receiving
from tests.rigs.processes import Web, environment


def run(*arguments: str | float | Path) -> Result:
    """`python -m dhos_connector_api ARGUMENTS`, here."""
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with three messages."""
    found = tmp_path / "three.hl7"
    found.write_bytes(b"".join(adt(control_id=f"C{number}") for number in range(3)))
    return found


def test_each_acknowledgement_over_mllp_is_shown_and_then_the_sum_of_them(file: Path) -> None:
    epr = Misbehaving(["AA", "AE", "CA"])
    with receiving(epr) as port:
        done = run("send", "--mllp", f"127.0.0.1:{port}", file)
    lines = done.stdout.splitlines()
    assert lines[:3] == ["AA  C0", "AE  C1", "CA  C2"]
    assert lines[3] == "1 AA, 1 AE, 1 CA"
    assert lines[4].startswith("answered within p50 ")
    assert "p99 " in lines[4]
    assert "a second" in lines[4]
    assert (done.exit_code, epr.taken, epr.connections) == (1, ["C0", "C1", "C2"], 1)


def test_many_go_over_several_connections_under_ids_of_their_own(file: Path) -> None:
    with python_hl7() as server:
        done = run(
            *("send", "--mllp", f"127.0.0.1:{server.port}", "--count", 200, "--new-ids", "--rate", 5000),
            *("--concurrency", 8, file),
        )
    assert done.exit_code == 0, done.output
    assert "200 AA\n" in done.stdout
    assert (len(server.taken), len(set(server.taken)), server.connections) == (200, 200, 8)


def test_without_new_ids_the_same_messages_are_sent_again(file: Path) -> None:
    with python_hl7() as server:
        assert run("send", "--mllp", f"127.0.0.1:{server.port}", "--count", 5, file).exit_code == 0
    assert server.taken == ["C0", "C1", "C2", "C0", "C1"]


def test_what_got_no_answer_is_sent_again_only_when_asked(file: Path) -> None:
    orders = ["close", "AA", "half", "hang"]
    epr = Misbehaving(list(orders))
    with receiving(epr) as port:
        address = f"127.0.0.1:{port}"
        done = run("send", "--mllp", address, "--until-acknowledged", "--timeout", 0.3, file)
        assert (done.exit_code, epr.taken) == (0, ["C0", "C0", "C1", "C1", "C1", "C2"])
        assert "3 AA\n3 resent\n" in done.stdout
        epr.orders = list(orders[:1])
        done = run("send", "--mllp", address, file)
    assert done.exit_code == 1
    assert "no answer  C0\n" in done.stdout
    assert "2 AA, 1 no answer" in done.stdout


def test_both_acknowledgements_of_enhanced_mode_are_counted_and_none_is_waited_for_in_vain(
    database: Database, tmp_path: Path
) -> None:
    asks = (("AL", "AL"), ("AL", "NE"), ("NE", "NE"), ("", ""))
    (tmp_path / "enhanced.hl7").write_bytes(
        b"".join(adt(MSH_15=accept, MSH_16=application) for accept, application in asks)
    )
    with serving(FrameAnswerer(database, lambda: INTAKE).answer) as running:
        done = run("send", "--mllp", f"127.0.0.1:{running.port}", tmp_path / "enhanced.hl7")
    assert done.exit_code == 0
    assert "1 AA, 2 CA, 1 none asked\nbesides: 1 AA\n" in done.stdout


def test_silence_is_an_answer_where_the_message_allows_it(database: Database, tmp_path: Path) -> None:
    asks = (("ER", "NE"), ("ER", "ER"), ("", "ER"), ("SU", "NE"))
    (tmp_path / "some.hl7").write_bytes(
        b"".join(adt(MSH_15=accept, MSH_16=application) for accept, application in asks)
        + adt("A20", MSH_15="ER", MSH_16="NE")
        + adt("A20", control_id="REFUSED", MSH_15="SU", MSH_16="NE")
    )
    with serving(FrameAnswerer(database, lambda: INTAKE).answer) as running:
        to = ("send", "--mllp", f"127.0.0.1:{running.port}", "--until-acknowledged", "--timeout", 0.5)
        done = run(*to, tmp_path / "some.hl7")
    assert done.exit_code == 1
    assert "1 CA, 1 CR, 1 no answer, 3 none asked\n" in done.stdout
    assert "no answer  REFUSED\n" in done.stdout
    assert "resent" not in done.stdout


def test_a_broken_connection_is_no_silence(tmp_path: Path) -> None:
    (tmp_path / "one.hl7").write_bytes(adt(control_id="C0", MSH_15="ER", MSH_16="NE"))
    epr = Misbehaving(["close", "AE"])
    with receiving(epr) as port:
        to = ("send", "--mllp", f"127.0.0.1:{port}", "--until-acknowledged")
        assert run(*to, tmp_path / "one.hl7").exit_code == 1
    assert epr.taken == ["C0", "C0"]


def test_nobody_there_is_one_line(file: Path) -> None:
    port = free_port()
    for command in (("send", file), ("generate", "--patients", 1)):
        done = run(*command, "--mllp", f"127.0.0.1:{port}")
        assert done.exit_code == 1
        (line,) = [each for each in done.stderr.splitlines() if "Error" in each]
        assert line == f"Error: 127.0.0.1:{port} cannot be connected to (ConnectionRefusedError)"


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "--tls", "{file}"),
        ("send", "--concurrency", "2", "{file}"),
        ("send", "--until-acknowledged", "{file}"),
        ("send", "--mllp", "nowhere", "{file}"),
        ("send", "--mllp", "nowhere:0", "{file}"),
        ("send", "--mllp", "127.0.0.1:1", "--raw", "{file}"),
        ("send", "--mllp", "127.0.0.1:1", "--certificate", "{file}", "{file}"),
        ("generate", "--file", "x", "--mllp", "127.0.0.1:1"),
        ("generate", "--token", "x"),
        ("generate", "--until-acknowledged"),
        ("generate", "--rate", "5"),
        ("generate", "--rate", "5", "--file", "{file}"),
        ("generate", "--rate", "5", "--folder", "{file}-each"),
        ("generate", "--patients", "0"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_fit_are_refused(file: Path, arguments: tuple[str, ...]) -> None:
    assert run(*(each.format(file=file) for each in arguments)).exit_code == 2


def test_tls_takes_the_right_certificate_and_no_other(file: Path, tmp_path: Path) -> None:
    hospital, stranger = Authority(tmp_path, "hospital"), Authority(tmp_path, "stranger")
    own, ours = hospital.issue("localhost", "DNS:localhost"), hospital.issue("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.file, own.key)
    context.load_verify_locations(hospital.own.file)
    context.verify_mode = ssl.CERT_REQUIRED
    epr = Misbehaving()
    with receiving(epr, context) as port:
        to = ("send", "--mllp", f"localhost:{port}", "--certificate", ours.file, "--key", ours.key, file)
        assert run(*to, "--ca", hospital.own.file).exit_code == 0
        wrong = run(*to, "--ca", stranger.own.file, "--until-acknowledged")
    assert (wrong.exit_code, len(epr.taken)) == (1, 3)
    assert "SSLCertVerificationError" in wrong.stderr


def test_a_generated_stream_is_taken_by_our_own_listener(database: Database) -> None:
    with serving(FrameAnswerer(database, lambda: INTAKE).answer) as running:
        done = run("generate", "--patients", 40, "--seed", 7, "--mllp", f"127.0.0.1:{running.port}")
        again = run("generate", "--patients", 40, "--seed", 7, "--mllp", f"127.0.0.1:{running.port}")
    assert (done.exit_code, again.exit_code) == (0, 0), done.output
    number = int(done.stderr.split(" messages of 40 patients: ")[0].split()[-1])
    assert f"\n{number} AA\n" in done.stderr
    with database.statements() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM message").scalar_one()
    assert kept == number, "the same stream again is repeats alone"


@pytest.mark.parametrize(
    "where", ["epr", ":2575", "epr:", "epr:0", "epr:65536", "epr:2_575", "epr:\u0662", "epr: 1"]
)
def test_what_names_no_host_and_port_is_refused(where: str) -> None:
    done = run("send", "--mllp", where, "tests/samples/a01_admission.hl7")
    assert done.exit_code == 2, done.output
    assert "--mllp" in done.stderr


def test_a_generated_stream_is_taken_over_http(
    database: Database, address: DatabaseAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = environment(address, LOG_LEVEL="ERROR")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with Web(environ, tmp_path) as web:
        done = run("generate", "--patients", 10, "--url", web.url, "--rate", 10_000)
    assert done.exit_code == 0, done.output
    assert " AA\n" in done.stderr


def test_a_generated_stream_is_the_same_in_a_file_in_a_folder_and_on_standard_output(tmp_path: Path) -> None:
    what = ("generate", "--patients", 12, "--seed", 3, "--start", "2025-05-05")
    assert run(*what, "--file", tmp_path / "all.hl7").exit_code == 0
    assert run(*what, "--folder", tmp_path / "each" / "one").exit_code == 0
    content = (tmp_path / "all.hl7").read_bytes()
    files = sorted((tmp_path / "each" / "one").iterdir())
    assert b"".join(each.read_bytes() for each in files) == content == run(*what).stdout_bytes
    assert files[0].name.startswith("000001_ADT_A")
    assert b"|20250505000000+0000||ADT^" in content


def test_percentiles_are_of_the_nearest_rank_and_a_summary_of_nothing_says_so() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, part) for part in (50, 95, 99)] == [50, 95, 99]
    assert percentile([7.0], 99) == 7.0
    summary = Summary()
    assert list(summary.lines(1.0)) == ["nothing was sent"]
    summary.add(Answer("AA", "1", seconds=0.25, attempts=3))
    assert list(summary.lines(2.0))[1:] == [
        "2 resent",
        "answered within p50 250.0 ms, p95 250.0 ms, p99 250.0 ms, at most 250.0 ms; 1 in 2.0 s, 0 a second",
    ]
