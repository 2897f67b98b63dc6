"""Labels of a run: what was given, then the environment, then Kubernetes; nothing wrong in them harms the program."""

import pytest

from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.watcher.run_labels import LABELS_VARIABLE, find_labels, parse_labels
from memanalysis.watcher.watch import watch

IN_KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def find(given=None, **environment):
    problems = []
    return find_labels(given, report=problems.append, environment=environment), problems


def test_what_is_given_wins_over_the_environment_and_that_over_kubernetes():
    labels, problems = find(
        {"tier": "web"}, **IN_KUBERNETES, NODE_NAME="node-7", MEMANALYSIS_LABELS="tier=db, node=mine,region=eu"
    )

    assert labels == {"node": "mine", "region": "eu", "tier": "web"}
    assert problems == []


def test_the_downward_variables_count_in_kubernetes_alone():
    downward = {"MY_POD_NAME": "shop-1", "POD_NAMESPACE": "prod", "HOSTNAME": "host"}

    assert find(**downward) == (None, [])
    assert find(**IN_KUBERNETES, **downward)[0] == {"pod": "shop-1", "namespace": "prod"}
    assert find(**IN_KUBERNETES, HOSTNAME="shop-2")[0] == {"pod": "shop-2"}


def test_secrets_are_redacted_by_the_name_and_by_the_value():
    labels, _ = find({"api_token": "abc", "store": "s3://user:pw@bucket", "auth": "password:x", "region": "eu"})

    assert labels == {"api_token": "***", "store": "s3://***@bucket", "auth": "***", "region": "eu"}


def test_a_bad_environment_is_reported_and_left_out():
    labels, problems = find({"region": "eu"}, MEMANALYSIS_LABELS="no sign")

    assert labels == {"region": "eu"}
    assert problems == [
        "MEMANALYSIS_LABELS needs key=value, but got 'no sign'. Write it such as region=eu-west-1.",
    ]


def test_a_value_is_cut_at_200_characters():
    assert find({"key-of-it": "x"})[0] is not None
    assert find({"path": "x" * 1000})[0] == {"path": "x" * 200}


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ("region=eu", "labels as a mapping of text to text, but got 'region=eu'"),
        ({"": "x"}, "a label's key of letters"),
        ({7: "x"}, "a label's key of letters"),
        ({"region": 7}, "the label 'region' as text, but got 7"),
        ({"region": ""}, "the label 'region' as text, but got ''"),
        ({f"k{n}": "x" for n in range(65)}, "at most 64 labels, but got 65"),
    ],
)
def test_labels_that_cannot_be_are_one_error(labels, what):
    with pytest.raises(InvalidArgumentError, match=what):
        watch("api", labels=labels)


def test_a_text_of_pairs_keeps_later_equal_signs():
    assert parse_labels(["query=a=b", "x=1"], name="--label") == {"query": "a=b", "x": "1"}


def test_a_run_keeps_its_labels(tmp_path, monkeypatch):
    monkeypatch.setenv(LABELS_VARIABLE, "region=eu")

    with watch("api", ledger=tmp_path / "ledger", labels={"tier": "web"}, seal=False):
        pass

    [labels] = open_ledger(tmp_path / "ledger").runs["labels"]
    assert labels == {"region": "eu", "tier": "web"}


def test_a_bad_environment_does_not_stop_a_program(tmp_path, monkeypatch):
    monkeypatch.setenv(LABELS_VARIABLE, "=")

    with watch("api", ledger=tmp_path / "ledger", seal=False) as recorder:
        assert "MEMANALYSIS_LABELS" in recorder.status().last_error

    assert open_ledger(tmp_path / "ledger").runs["labels"].isna().all()
