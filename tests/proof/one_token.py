#!/usr/bin/env python3
"""Sixteen processes write the same token at the same time: one data object becomes visible, and all of
them report the same result. 20 rounds, 200 with S3S_FULL=1.

    one_token.py file|s3 COMMAND [TEST...]
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import proof  # noqa: E402  pylint: disable=wrong-import-position

WRITERS = 16
ROUNDS = 200 if proof.FULL else 20
SAME = ("partition", "offset", "data_path", "ref_path", "inserted_at", "row_count", "token")


def one_round(place, url, number):
    """How many data objects it left."""
    token, partition = f"round-{number}", f"p={number}"
    rows = [{"p": number, "n": n} for n in (1, 2, 3)]
    source = proof.write_lines(place.path("rows"), rows)
    children, outs = [], [place.path(f"out-{i}") for i in range(WRITERS)]
    err = place.path("errors")
    with open(err, "ab") as errors:
        for i, out in enumerate(outs):
            options = ("--optimistic",) if number % 3 == 2 and i % 2 else ()
            with open(out, "wb") as o:
                children.append(place.start("write", url, "-", "--token", token, *options,
                                            source=source, out=o, err=errors))
    codes = [child.wait(proof.LIMIT_S) for child in children]
    assert codes == [0] * WRITERS, (codes, err.read_text())
    results = [proof.lines(out.read_text()) for out in outs]
    assert all(len(r) == 1 for r in results), results
    told = {tuple(r[0][k] for k in SAME) for r in results}
    assert len(told) == 1, told
    statuses = [r[0]["status"] for r in results]
    assert statuses.count("committed") == 1, statuses
    assert statuses.count("existing") == WRITERS - 1, statuses
    listed = place.run("ls", url, partition)
    assert listed.stdout.split() == [results[0][0]["data_path"]], listed.stdout
    seen = place.rows(url, partition)
    assert sorted(row["n"] for row in seen) == [1, 2, 3], seen
    return results[0][0]["data_path"]


def test_sixteen_processes_of_one_token_report_one_result(place):
    """And the stream has each round once."""
    url = place.new("race", "--partition-by", "p", "--commit-timeout", "12s", "--types", "p:int64")
    follower = proof.Follower(place, url, "race")
    paths = [one_round(place, url, number) for number in range(ROUNDS)]
    data = [k for k in place.keys(url) if k.endswith(".parquet")]
    assert len(data) > ROUNDS, "no two writers were ever at it at once"
    proof.wait_for(lambda: len(follower.entries()) >= ROUNDS, "not all rounds are in the stream")
    followed = follower.stop()
    assert proof.data_paths(followed) == paths, followed
    assert place.poll(url) == followed
    print(f"{ROUNDS} rounds of {WRITERS}; {len(data) - ROUNDS} attempts lost")


if __name__ == "__main__":
    proof.main([test_sixteen_processes_of_one_token_report_one_result])
