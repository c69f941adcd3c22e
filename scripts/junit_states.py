"""Prints `state<TAB>name<TAB>reason` for each test of a ctest JUnit report."""
import re
import sys
import xml.etree.ElementTree as ET


def main(path):
    try:
        cases = ET.parse(path).getroot().iter("testcase")
    except (OSError, ET.ParseError) as error:
        print(f"fail\t{path}\t{error}")
        return
    for case in cases:
        status = case.get("status")
        output = case.findtext("system-out") or ""
        reason = re.search(r"^SKIP: *(.*)$", output, re.M)
        if case.find("skipped") is not None or status in ("notrun", "disabled"):
            print(f"skip\t{case.get('name')}\t{reason.group(1) if reason else 'no reason given'}")
        elif status == "run":
            print(f"pass\t{case.get('name')}\t")
        else:
            print(f"fail\t{case.get('name')}\t")


main(sys.argv[1])
