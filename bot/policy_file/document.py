"""YAML text to nodes and plain data, within bounds: what a few lines can blow up to is refused before it is built."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.reader import ReaderError

from bot.domain.errors import InvalidPolicy

CHARACTERS = 4_000_000  # of a file: some 50,000 rules
VALUES = 1_000_000  # once every alias is written out
DEPTH = 64  # levels of nesting


def read_document(text: str, name: str) -> tuple[Node, Any]:
    """The document's nodes, which know their lines, and its data. Raises InvalidPolicy."""
    if len(text) > CHARACTERS:
        raise InvalidPolicy(f"{name}:1: the file is longer than {CHARACTERS:,} characters, more than a policy may be")
    yaml = YAML(typ="safe", pure=True)
    # A date is text here: a moment needs its time zone, which is checked where a moment is meant.
    yaml.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda constructor, node: node.value)
    try:
        root = yaml.compose(text)
        if root is None:
            raise InvalidPolicy(f"{name}:1: the file must hold version, workflows and rules; this one is empty")
        _check_bounds(root, name)
        return root, yaml.constructor.construct_document(root)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = str(error.problem).splitlines()[0]
        raise InvalidPolicy(f"{name}:{line}: this is not valid YAML: {problem}") from None
    except ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise InvalidPolicy(
            f"{name}:{line}: this is not valid YAML: the character U+{int(error.character):04X} is not allowed"
        ) from None
    except RecursionError:
        raise InvalidPolicy(f"{name}:1: this is not valid YAML: it is nested too deeply") from None
    except (YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidPolicy(f"{name}:1: this is not valid YAML: {reason}") from None


def _check_bounds(root: Node, name: str) -> None:
    """Raises InvalidPolicy where the document is too deep, too large once its aliases are written out, or holds itself."""
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size(node: Node, depth: int) -> int:
        line = node.start_mark.line + 1
        if id(node) in above:
            raise InvalidPolicy(f"{name}:{line}: this value holds itself, by an alias inside its own anchor")
        if depth > DEPTH:
            raise InvalidPolicy(f"{name}:{line}: this is nested more than {DEPTH} levels deep")
        if id(node) not in sizes:
            above.add(id(node))
            sizes[id(node)] = 1 + sum(size(child, depth + 1) for child in _children(node))
            above.discard(id(node))
        if sizes[id(node)] > VALUES:
            raise InvalidPolicy(f"{name}:{line}: with its aliases written out this is more than {VALUES:,} values")
        return sizes[id(node)]

    size(root, 0)


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []
