"""The Rules section: assertions about parameters, held before anything is created.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
"""

from __future__ import annotations

from typing import Any

from fogbank.templates.errors import TemplateError, UnsupportedError
from fogbank.templates.functions import Evaluator
from fogbank.templates.sections import Template, scalar_text


def check_rules(template: Template, evaluator: Evaluator) -> None:
    """Raise `TemplateError` with the descriptions of every assertion that does not hold."""
    rules = _Rules(template, evaluator)
    failed: list[str] = []
    for name, rule in template.rules.items():
        if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list):
            raise TemplateError(
                f"Template format error: Every Rules object must contain an Assertions member. ({name})"
            )
        if "RuleCondition" in rule and not rules.holds(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not isinstance(assertion, dict) or "Assert" not in assertion:
                raise TemplateError(f"Template format error: Every Assertions member must contain an Assert. ({name})")
            if not rules.holds(assertion["Assert"]):
                failed.append(scalar_text(assertion.get("AssertDescription", f"Rule {name} does not hold")))
    if failed:
        raise TemplateError("Template validation error: " + "; ".join(failed))


class _Rules:
    """Decides the functions that only rules have, and leaves the others to the evaluator."""

    def __init__(self, template: Template, evaluator: Evaluator) -> None:
        self._template = template
        self._evaluator = evaluator

    def holds(self, expression: Any) -> bool:
        if not isinstance(expression, dict) or len(expression) != 1:
            return self._evaluator.decide(expression)
        name, argument = next(iter(expression.items()))
        match name:
            case "Fn::And":
                return all(self.holds(each) for each in argument)
            case "Fn::Or":
                return any(self.holds(each) for each in argument)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::Contains":
                members, value = self._two_lists(name, argument)
                return all(each in members for each in value)
            case "Fn::EachMemberEquals":
                members, value = self._two_lists(name, argument)
                return all([each] == value for each in members)
            case "Fn::EachMemberIn":
                checked, members = self._two_lists(name, argument)
                return all(each in members for each in checked)
        return self._evaluator.decide(expression)

    def _two_lists(self, name: str, argument: Any) -> tuple[list[str], list[str]]:
        if not isinstance(argument, list) or len(argument) != 2:
            raise TemplateError(f"Template error: every {name} object requires two parameters.")
        return self._strings(argument[0]), self._strings(argument[1])

    def _strings(self, value: Any) -> list[str]:
        if isinstance(value, dict) and len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Fn::RefAll":
                return [
                    text
                    for parameter, found in self._evaluator.environment.parameters.items()
                    if self._template.parameters[parameter].type == argument
                    for text in (found.referenced if isinstance(found.referenced, list) else [found.referenced])
                ]
            if name in ("Fn::ValueOf", "Fn::ValueOfAll"):
                raise UnsupportedError(f"Fogbank does not implement {name}: it asks EC2 about a parameter's value")
        evaluated = self._evaluator.evaluate(value)
        return [scalar_text(each) for each in (evaluated if isinstance(evaluated, list) else [evaluated])]
