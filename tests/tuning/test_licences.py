from __future__ import annotations

import email

import pytest

from trueval.tuning.licences import HEAD, licence_of, permits, says_otherwise


def licence(*lines: str) -> tuple[str, bool]:
    found = licence_of(email.message_from_string("\n".join(["Name: x", *lines, "", ""])))
    return found.name, found.permitted


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("PSF-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 AND (BSD-2-Clause OR GPL-3.0-only)", True),
        ("MIT OR LGPL-3.0-only", True),
        ("BSD-3-Clause AND Zlib", False),
        ("MIT AND GPL-2.0-only", False),
        ("GPL-2.0-only WITH LLVM-exception", False),
        ("Apache-2.0 WITH Commons-Clause", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT AND", False),
        ("", False),
        ("LicenseRef-MIT", False),
        ("MIT BSD-3-Clause", False),
    ],
)
def test_an_expression_is_permitted_when_every_needed_part_is(
    expression: str, permitted: bool
) -> None:
    assert permits(expression) is permitted


@pytest.mark.parametrize(
    "lines",
    [
        ["License-Expression: ISC"],
        ["License: MIT"],
        ["License: BSD 3-Clause License"],
        ["License: BSD-3-Clause"],
        ["License: Apache 2.0"],
        ["License: Apache 2.0 License"],
        ["License: The MIT License (MIT)"],
        ["License: 3-Clause BSD License"],
        ["License: PSF"],
        ["License: Apache License, Version 2.0"],
        ["License: ASL 2"],
        ["License: ISC license"],
        ["License: MIT OR Apache-2.0"],
        ["License: MIT OR GPL-3.0-only"],
        ["License: BSD 3-Clause OR Apache-2.0"],
        ["License: see LICENSE.txt", "Classifier: License :: OSI Approved :: MIT License"],
        ["License: OSI Approved", "Classifier: License :: OSI Approved :: MIT License"],
        ["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"],
        ["License: OSI Approved :: MIT License"],
        ["Classifier: License :: OSI Approved :: Python Software Foundation License"],
        ["Classifier: License :: OSI Approved", "License: BSD"],
        [
            "License: Copyright (c) 2001 Someone",
            "  a library of it is under the GNU General Public License",
            "Classifier: License :: OSI Approved :: BSD License",
        ],
    ],
)
def test_a_permitted_licence_is_read_from_any_field(lines: list[str]) -> None:
    assert licence(*lines)[1]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["License: UNKNOWN"],
        ["License: GPLv3"],
        ["License: MIT and GPL"],
        ["License: Proprietary"],
        ["License: All contributions are MIT licensed, others are not"],
        ["License-Expression: GPL-3.0-only", "Classifier: License :: OSI Approved :: MIT License"],
        ["License: LGPL", "Classifier: License :: OSI Approved :: BSD License"],
        *(
            [f"License: {other}", "Classifier: License :: OSI Approved :: MIT License"]
            for other in ("CC-BY-NC-4.0", "BUSL-1.1", "SSPL-1.0", "Fair Source", "Proprietary")
        ),
        [
            "License: GNU GENERAL PUBLIC LICENSE",
            "  Version 3, 29 June 2007",
            "Classifier: License :: OSI Approved :: MIT License",
        ],
        [
            "Classifier: License :: OSI Approved :: MIT License",
            "Classifier: License :: OSI Approved :: GNU General Public License (GPL)",
        ],
        ["Classifier: License :: OSI Approved"],
        ["Classifier: License :: Public Domain"],
    ],
)
def test_anything_else_is_refused(lines: list[str]) -> None:
    assert not licence(*lines)[1]


def test_a_package_without_a_licence_says_so() -> None:
    assert licence() == ("none named", False)


@pytest.mark.parametrize(
    ("named", "recorded"),
    [
        ("MIT and Apache 2.0", "MIT AND Apache-2.0"),
        ("MIT or Apache 2.0", "MIT OR Apache-2.0"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("BSD & MIT", "BSD AND MIT"),
    ],
)
def test_what_joins_licences_is_recorded_as_it_was_said(named: str, recorded: str) -> None:
    assert licence(f"License: {named}") == (recorded, True)


@pytest.mark.parametrize(
    ("head", "otherwise"),
    [
        ("import os\n", False),
        ("# SPDX-License-Identifier: MIT\n", False),
        ("# SPDX-License-Identifier: (MIT OR GPL-2.0-only)\n", False),
        ("/* SPDX-License-Identifier: BSD-3-Clause */\n", False),
        ("# SPDX-License-Identifier: GPL-3.0-or-later\n", True),
        ("# SPDX-License-Identifier: Zlib\n", True),
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: MPL-2.0\n", True),
        ("# under the GNU Lesser General Public License\n", True),
        ("# This Source Code Form is subject to the Mozilla Public License\n", True),
        ("# Licensed for non-commercial use only\n", True),
        ("x = 1\n" * HEAD + "# GNU General Public License\n", False),
    ],
)
def test_a_files_own_head_counts_against_its_packages_licence(head: str, otherwise: bool) -> None:
    assert says_otherwise(head) is otherwise
