# ruff: noqa: E501 - one row of a table is one line
"""PartiQL over the wire: statements do what the other operations do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.shapes import COMPOSITE, make, plain, put, refusal, simple


@pytest.fixture
def client(aws: Callable[..., Any]) -> Any:
    """A client, and in its table items of two partitions."""
    client = aws("dynamodb")
    make(client, shape=COMPOSITE)
    for number in range(5):
        put(client, pk="a", sk=number, color="red" if number % 2 else "blue", rank=-number, name=f"n{number}")
    put(client, pk="b", sk=0)
    return client


def run(client: Any, statement: str, *parameters: Any, **request: Any) -> list[dict[str, Any]]:
    """The items that a statement gives, plain."""
    if parameters:
        request["Parameters"] = [next(iter(plain({"p": one}).values())) for one in parameters]
    return [simple(item) for item in client.execute_statement(Statement=statement, **request)["Items"]]


def item(client: Any, pk: str, sk: int) -> dict[str, Any] | None:
    found = client.get_item(TableName="table", Key=plain({"pk": pk, "sk": sk})).get("Item")
    return None if found is None else simple(found)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("pk = 'a'", [0, 1, 2, 3, 4]),
        ("pk = 'a' AND sk > 2", [3, 4]),
        ("pk = 'a' AND sk BETWEEN 1 AND 2", [1, 2]),
        ("pk = 'a' AND \"name\" = 'n3'", [3]),
        ("pk = 'a' AND color = 'red' AND NOT sk = 1", [3]),
        ("pk = 'a' AND (sk = 1 OR sk = 4)", [1, 4]),
        ("pk = 'a' AND sk IN [0, 3]", [0, 3]),
        ("pk = 'a' AND sk IN (0, 3)", [0, 3]),
        ("pk = 'a' AND begins_with(\"name\", 'n4')", [4]),
        ("pk = 'a' AND contains(color, 'lu') AND rank != -2", [0, 4]),
        ("pk = 'a' AND size(color) = 3", [1, 3]),
        ("pk = 'a' AND rank IS MISSING", []),
        ("pk = 'a' AND rank IS NOT MISSING AND 3 <= sk", [3, 4]),
        ("pk = 'a' AND rank IS NULL", []),
        ("pk = 'a' ORDER BY sk DESC", [4, 3, 2, 1, 0]),
    ],
)
def test_a_select_finds_what_its_where_says(client: Any, where: str, expected: list[int]) -> None:
    assert [one["sk"] for one in run(client, f'SELECT sk FROM "table" WHERE {where}')] == expected


def test_a_select_without_a_partition_looks_at_everything(client: Any) -> None:
    assert len(run(client, 'SELECT * FROM "table"')) == 6
    assert [one["pk"] for one in run(client, 'SELECT pk FROM "table" WHERE color IS MISSING')] == ["b"]


def test_a_select_reads_an_index(client: Any) -> None:
    found = run(client, 'SELECT rank FROM "table"."by-color" WHERE color = ? ORDER BY rank DESC', "blue")
    assert found == [{"rank": 0}, {"rank": -2}, {"rank": -4}]


def test_a_select_goes_on_from_its_token(client: Any) -> None:
    request: dict[str, Any] = {"Statement": "SELECT sk FROM \"table\" WHERE pk = 'a'", "Limit": 2}
    seen: list[int] = []
    while True:
        reply = client.execute_statement(**request)
        seen += [simple(one)["sk"] for one in reply["Items"]]
        if "NextToken" not in reply:
            break
        request["NextToken"] = reply["NextToken"]
    assert seen == [0, 1, 2, 3, 4]
    other = {"Statement": "SELECT sk FROM \"table\" WHERE pk = 'b'", "NextToken": request["NextToken"]}
    assert refusal(client.execute_statement, **other) == ("ValidationException", "NextToken does not match request")


def test_an_insert_puts_an_item_that_is_not_there(client: Any) -> None:
    statement = "INSERT INTO \"table\" VALUE {'pk': ?, 'sk': 7, 'list': [1, 'x', {'k': true}], 'tags': <<'b', 'a'>>, 'none': null}"
    run(client, statement, "c")
    found = client.get_item(TableName="table", Key=plain({"pk": "c", "sk": 7}))["Item"]
    assert found == {
        "pk": {"S": "c"},
        "sk": {"N": "7"},
        "list": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"k": {"BOOL": True}}}]},
        "tags": {"SS": ["a", "b"]},
        "none": {"NULL": True},
    }
    again = {"Statement": statement, "Parameters": [{"S": "c"}]}
    assert refusal(client.execute_statement, **again) == (
        "DuplicateItemException",
        "Duplicate primary key exists in table",
    )


def test_an_update_changes_an_item_that_is_there(client: Any) -> None:
    where = "WHERE pk = 'a' AND sk = 1"
    assert run(client, f'UPDATE "table" SET rank = rank + 10 SET color = ? REMOVE "name" {where}', "green") == []
    assert item(client, "a", 1) == {"pk": "a", "sk": 1, "rank": 9, "color": "green"}
    assert run(client, f'UPDATE "table" SET rank = 1 {where} RETURNING MODIFIED OLD *') == [{"rank": 9}]
    assert run(client, f'UPDATE "table" SET rank = 2 {where} RETURNING ALL NEW *')[0]["rank"] == 2
    client.execute_statement(Statement=f"UPDATE \"table\" SET tags = set_add(tags, <<'x', 'y'>>) {where}")
    client.execute_statement(Statement=f"UPDATE \"table\" SET tags = set_delete(tags, <<'x'>>) {where}")
    client.execute_statement(Statement=f'UPDATE "table" SET log = list_append(if_not_exists(log, []), [1]) {where}')
    found = client.get_item(TableName="table", Key=plain({"pk": "a", "sk": 1}))["Item"]
    assert (found["tags"], found["log"]) == ({"SS": ["y"]}, {"L": [{"N": "1"}]})
    missing = "UPDATE \"table\" SET rank = 1 WHERE pk = 'a' AND sk = 99"
    assert refusal(client.execute_statement, Statement=missing)[0] == "ConditionalCheckFailedException"
    failing = f"UPDATE \"table\" SET rank = 1 {where} AND color = 'none'"
    assert refusal(client.execute_statement, Statement=failing)[0] == "ConditionalCheckFailedException"


def test_a_delete_removes_an_item(client: Any) -> None:
    old = run(client, "DELETE FROM \"table\" WHERE pk = 'a' AND sk = 1 RETURNING ALL OLD *")
    assert old[0]["name"] == "n1"
    assert item(client, "a", 1) is None
    assert run(client, "DELETE FROM \"table\" WHERE pk = 'a' AND sk = 1") == []
    failing = "DELETE FROM \"table\" WHERE pk = 'a' AND sk = 2 AND color = 'none'"
    assert refusal(client.execute_statement, Statement=failing)[0] == "ConditionalCheckFailedException"


def test_each_statement_of_a_batch_succeeds_or_fails_by_itself(client: Any) -> None:
    statements = [
        {"Statement": "INSERT INTO \"table\" VALUE {'pk': 'n', 'sk': 1}"},
        {"Statement": "INSERT INTO \"table\" VALUE {'pk': 'a', 'sk': 0}"},
        {"Statement": "UPDATE \"table\" SET x = 1 WHERE pk = 'none' AND sk = 1"},
        {"Statement": "DELETE FROM absent WHERE pk = 'a'"},
        {"Statement": "DELETE FROM"},
        {"Statement": "DELETE FROM \"table\" WHERE pk = 'a'"},
    ]
    responses = client.batch_execute_statement(Statements=statements)["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [
        None,
        "DuplicateItem",
        "ConditionalCheckFailed",
        "ResourceNotFound",
        "ValidationError",
        "ValidationError",
    ]
    assert item(client, "n", 1) == {"pk": "n", "sk": 1}
    reads = [{"Statement": f"SELECT sk FROM \"table\" WHERE pk = 'a' AND sk = {number}"} for number in (0, 99)]
    assert client.batch_execute_statement(Statements=reads)["Responses"] == [
        {"TableName": "table", "Item": {"sk": {"N": "0"}}},
        {"TableName": "table"},
    ]
    mixed = [reads[0], statements[0]]
    assert refusal(client.batch_execute_statement, Statements=mixed)[0] == "ValidationException"


def test_a_transaction_of_statements_is_all_or_nothing(client: Any) -> None:
    insert = {"Statement": "INSERT INTO \"table\" VALUE {'pk': 'n', 'sk': 1}"}
    check = {
        "Statement": "EXISTS(SELECT * FROM \"table\" WHERE pk = 'a' AND sk = 0 AND color = ?)",
        "Parameters": [{"S": "blue"}],
    }
    wrong = {**check, "Parameters": [{"S": "red"}]}
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.execute_transaction(TransactStatements=[insert, wrong])
    response: Any = caught.value.response
    assert [reason["Code"] for reason in response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert item(client, "n", 1) is None
    client.execute_transaction(TransactStatements=[insert, check])
    reads = [{"Statement": "SELECT * FROM \"table\" WHERE pk = 'n' AND sk = 1"}]
    assert client.execute_transaction(TransactStatements=reads)["Responses"] == [{"Item": plain({"pk": "n", "sk": 1})}]
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.execute_transaction(TransactStatements=[insert])
    response = caught.value.response
    assert response["CancellationReasons"][0]["Code"] == "DuplicateItem"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT", "Statement wasn't well formed, can't be processed: Unexpected end of statement"),
        ("SELECT * FROM", "Statement wasn't well formed, can't be processed: Unexpected end of statement"),
        ("SELECT * FROM \"table\" WHERE pk = 'a", "Statement wasn't well formed, can't be processed: Unexpected character \"'\" at position 34"),
        ("DROP TABLE x", "Statement wasn't well formed, can't be processed: Unexpected token 'DROP' at position 1"),
        ('SELECT * FROM "table" WHERE pk = ?', "Number of parameters in request and statement don't match."),
        ('SELECT * FROM "table" ORDER BY sk', "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."),
        ('SELECT * FROM "table"."none"', "The table does not have the specified index: none"),
        ("UPDATE \"table\" SET x = 1 WHERE pk = 'a'", "Where clause does not contain a mandatory equality on all key attributes"),
        ("UPDATE \"table\" SET sk = 1 WHERE pk = 'a' AND sk = 0", "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"),
        ("INSERT INTO \"table\" VALUE {'pk': 'x'}", "One or more parameter values were invalid: Missing the key sk in the item"),
        ("INSERT INTO \"table\" VALUE {'pk': 'x', 'sk': 1, 's': <<1, 'a'>>}", "Statement wasn't well formed, can't be processed: a set has members of one type: string, number or binary"),
        ('EXISTS(SELECT * FROM "table")', "EXISTS() function can be used only in ExecuteTransaction"),
        ('SELECT * FROM "table" WHERE ' + "(" * 70 + "a = 1" + ")" * 70, "Statement wasn't well formed, can't be processed: nested more than 64 levels deep"),
    ],
)  # fmt: skip
def test_a_statement_that_is_refused(client: Any, statement: str, message: str) -> None:
    assert refusal(client.execute_statement, Statement=statement) == ("ValidationException", message)


def test_a_table_that_is_not_there_is_not_found(client: Any) -> None:
    assert refusal(client.execute_statement, Statement="SELECT * FROM absent") == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )
