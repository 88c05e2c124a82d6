"""The Amazon States Language, pure: no I/O, no clock.

| file | idea |
| --- | --- |
| `definition.py`, `_rules.py` | a definition's text becomes a program, or a list of all that is wrong with it |
| `paths.py` | JSONPath and reference paths |
| `intrinsics.py` | `States.Format(…)` and the others |
| `jsonata.py` | JSONata expressions, guarded |
| `templates.py` | payload templates of both query languages |
| `choice.py` | the operators of Choice |
| `interpreter.py`, `_threads.py` | an execution: inputs in, history events and commands out |
| `_map_runs.py`, `_batches.py` | distributed Maps: what child executions are given, and what becomes of them |
| `_redrive.py` | how an execution goes on that ended without success |
| `_warnings.py` | what a definition probably does not mean |

Source: https://states-language.net/spec.html and the Step Functions Developer Guide.
"""
