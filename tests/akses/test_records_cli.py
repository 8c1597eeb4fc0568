"""What an operator does with records from the command line: beside the running product, with nothing personal on screen or in arguments."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from akses.keyring import Keyring
from tests.backend.stage import BODY
from tests.product import PATIENCE, ROOT, Product

OLD = Keyring.generate().replace("k1:", "old:")
NEW = Keyring.generate().split(",")[0].replace("k1:", "new:")
EMAIL, NIK = str(BODY["email"]), str(BODY["nik"])


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Running, with two registrations of one address."""
    with Product(tmp_path_factory.mktemp("product"), ENCRYPTION_KEYS=OLD, BACKEND_API_KEY="key-of-the-tests") as running:
        for number in range(2):
            headers = {"Authorization": "Bearer key-of-the-tests", "Idempotency-Key": f"k{number}"}
            body = BODY | {"nik": f"317409570890000{number + 1}"}
            answer = httpx2.post(
                f"{running.url}/api/v1/registrations", json=body, headers=headers, trust_env=False, timeout=PATIENCE
            )
            assert answer.status_code == 202
        running.mail(EMAIL)
        yield running


def akses(product: Product, *words: str, said: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    environment = product.environment | {"PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-m", "akses", *words]
    done = subprocess.run(
        command,
        cwd=product.data_dir.parent,
        env=environment,
        input=said,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert EMAIL not in done.stdout + done.stderr
    assert NIK not in done.stdout + done.stderr
    return done


def test_the_audit_proves_itself_beside_the_running_product(product: Product) -> None:
    done = akses(product, "audit", "verify")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The chain holds.")
    missing = akses(product, "audit", "verify", "--expect", "0" * 64)
    assert missing.returncode == 1
    assert "lines were cut off" in missing.stderr


def test_a_person_s_copy_is_a_new_file_for_one_s_own_eyes(product: Product) -> None:
    copy = product.data_dir.parent / "copy.json"
    done = akses(product, "subject", "export", "email", "--output", str(copy), said=f"{EMAIL}\n")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    found = json.loads(copy.read_text(encoding="utf-8"))
    assert [one["data"]["email"] for one in found["registrations"]] == [EMAIL, EMAIL]
    assert "Different people may have entered them" in done.stderr
    again = akses(product, "subject", "export", "email", "--output", str(copy), said=f"{EMAIL}\n")
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    nobody = akses(product, "subject", "export", "email", "--output", "x.json", said="nobody@example.com\n")
    assert (nobody.returncode, nobody.stderr.strip()) == (2, "Nothing is held under this email.")
    assert akses(product, "subject", "export", "email", said="").returncode == 2
    nowhere = akses(product, "subject", "export", "email", "--output", "no/such/folder/x.json", said=f"{EMAIL}\n")
    assert (nowhere.returncode, "name another file with --output" in nowhere.stderr) == (2, True)
    unreadable = akses(product, "subject", "export", "email", said=f"{EMAIL}\udcff\n")
    assert (unreadable.returncode, "no text in UTF-8" in unreadable.stderr) == (2, True)


def test_an_incident_s_list_is_a_line_for_each_record(product: Product) -> None:
    output = product.data_dir.parent / "incident.jsonl"
    now = datetime.now(UTC)
    window = [f"{at:%Y-%m-%dT%H:%M:%S}" for at in (now - timedelta(hours=1), now + timedelta(hours=1))]
    done = akses(product, "incident", "export", *window, "--contacts", "--output", str(output))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert {line["email"] for line in lines} == {EMAIL}
    assert akses(product, "incident", "export", *reversed(window)).returncode == 2


def test_a_list_of_investors_is_taken_whole_or_refused_by_line(product: Product) -> None:
    folder = product.data_dir.parent
    good, bad, other = folder / "good.csv", folder / "bad.csv", folder / "other.csv"
    good.write_text(f"\ufeffNIK;Email;Nama\n{NIK};{EMAIL};Siti\n3174095708900002;budi@example.com;Budi\n", encoding="utf-8")
    bad.write_text(f"nik,email\n{NIK},{EMAIL}\n{NIK[:-1]},{EMAIL}\n", encoding="utf-8")
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    assert akses(product, "registry", "status").stdout.strip() == "There is none."
    assert akses(product, "registry", "import", str(good)).stdout.startswith("2 lines are in use")
    refused = akses(product, "registry", "import", str(bad))
    assert (refused.returncode, "in line 2." in refused.stderr) == (2, True)
    assert "columns nik and email" in akses(product, "registry", "import", str(other)).stderr
    other.write_text("nik,email\n", encoding="utf-8")
    for cut_short in (other, folder / "missing.csv", folder):
        refused = akses(product, "registry", "import", str(cut_short))
        assert (refused.returncode, refused.stderr.startswith("Nothing was changed: ")) == (2, True)
    assert akses(product, "registry", "status").stdout.startswith("2 lines, in use since ")


def test_keys_are_rotated_and_counted(product: Product) -> None:
    both = f"{NEW},{OLD}"
    before = akses(product, "keys", "rotate", "--check", ENCRYPTION_KEYS=both)
    assert (before.returncode, ": 0 values, 0 look-ups;" in before.stdout) == (1, False)
    done = akses(product, "keys", "rotate", ENCRYPTION_KEYS=both)
    assert (done.returncode, "Still under an older key: 0 values, 0 look-ups;" in done.stdout) == (0, True)
    assert akses(product, "keys", "rotate", "--check", ENCRYPTION_KEYS=both).returncode == 0
    stranger = akses(product, "keys", "rotate", ENCRYPTION_KEYS=Keyring.generate())
    assert (stranger.returncode, "none of the keys" in stranger.stderr) == (1, True)
    assert akses(product, "keys", "rotate", ENCRYPTION_KEYS=f"{OLD},{NEW}").returncode == 0, "back, for the running product"


def test_a_person_is_logged_out_everywhere(product: Product) -> None:
    done = akses(product, "subject", "log-out", "email", said=f"{EMAIL}\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Ended: ")
    assert akses(product, "subject", "log-out", "email", said="nobody@example.com\n").returncode == 2


def test_an_address_that_nobody_disowned_is_said_not_to_be_held_back(product: Product) -> None:
    done = akses(product, "subject", "welcome", said=f"{EMAIL}\n")
    assert (done.returncode, "its mail is not held back" in done.stderr) == (2, True)
    assert akses(product, "subject", "welcome", said="\n").returncode == 2


def test_erasing_is_said_first_and_done_when_it_is_meant(product: Product) -> None:
    asked = akses(product, "subject", "erase", "email", said=f"{EMAIL}\n")
    assert asked.returncode == 0
    assert asked.stdout.count("registration ") == 2
    assert "Nothing was erased" in asked.stdout
    done = akses(product, "subject", "erase", "email", "--yes", said=f"{EMAIL}\n")
    assert "Erased: 0 accounts, 2 registrations, 0 talks." in done.stdout
    assert akses(product, "subject", "erase", "email", "--yes", said=f"{EMAIL}\n").returncode == 2
    assert akses(product, "audit", "verify").returncode == 0


def test_before_the_first_run_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    product = Product(tmp_path)
    for words in (("audit", "verify"), ("registry", "status"), ("keys", "rotate")):
        done = akses(product, *words)
        assert (done.returncode, done.stderr.strip().startswith("There are no records yet")) == (2, True)
