"""From the configured departments and subjects to the tree that the core knows.

Here: the translation. Not here: checks (config/labels.py) and meaning (core/labels.py).
"""

from collections.abc import Sequence

from ivrd.config import DepartmentConfig, SubjectConfig
from ivrd.core.labels import Department, LabelTree, Signs, Subject


def label_tree(departments: Sequence[DepartmentConfig]) -> LabelTree:
    """Return the tree, in the order of the configuration."""
    return LabelTree(
        tuple(
            Department(
                code=department.code,
                name_sv=department.name_sv,
                name_en=department.name_en,
                subjects=tuple(_subject(subject) for subject in department.subject),
                signs=_signs(department),
            )
            for department in departments
        )
    )


def _subject(subject: SubjectConfig) -> Subject:
    return Subject(
        code=subject.code,
        name_sv=subject.name_sv,
        name_en=subject.name_en,
        phone_code=subject.phone_code or "",
        signs=_signs(subject),
    )


def _signs(labelled: DepartmentConfig | SubjectConfig) -> Signs:
    return Signs(
        lines=frozenset(labelled.lines),
        choices=frozenset(labelled.choices),
        queues=frozenset(labelled.queues),
        numbers=frozenset(labelled.numbers),
    )
