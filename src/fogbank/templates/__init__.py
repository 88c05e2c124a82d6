"""Templates: SAM and CloudFormation, read, checked and carried out through `cloud.call`.

| file | idea |
| --- | --- |
| `loader.py` | text to values: YAML with short tags, JSON; positions for messages |
| `sections.py`, `parameters.py`, `rules.py` | a template's sections, checked and typed |
| `functions.py`, `references.py` | intrinsic functions evaluated; what values refer to |
| `graph.py` | the order of resources; cycles |
| `macros.py`, `translator.py` | includes, loops, SAM |
| `schema.py`, `schemas/` | AWS's schemas of resource types: names, conversions, what replaces |
| `resources/` | the table of resource types: which calls create, change and delete each |
| `deployment.py`, `engine.py` | what CloudFormation is handed |
| `build.py` | what the commands use: local code made ready, the template pointed at it |

This package's own module imports nothing: the commands need `build` and not the engine, and should start quickly.
"""
