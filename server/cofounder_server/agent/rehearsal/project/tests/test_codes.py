"""Codes are short, unique, and lead back to their number."""

import unittest

from shortener import codes


class Codes(unittest.TestCase):
    def test_a_code_leads_back_to_its_number(self) -> None:
        for number in (0, 7, 61, 62, 1000, 238_327, 10**12):
            self.assertEqual(codes.decode(codes.encode(number)), number)

    def test_no_two_numbers_share_a_code(self) -> None:
        self.assertEqual(len({codes.encode(number) for number in range(10_000)}), 10_000)

    def test_a_million_links_need_no_more_than_four_characters(self) -> None:
        self.assertLessEqual(len(codes.encode(1_000_000)), 4)

    def test_what_is_no_code_is_refused(self) -> None:
        for wrong in ("", "a-b", "ä"):
            with self.assertRaises(ValueError):
                codes.decode(wrong)
