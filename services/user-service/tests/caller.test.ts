import { expect, test } from "vitest";
import { callerOf } from "../src/caller.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["::1", "0:0:0:0::/64"],
  [undefined, "127.0.0.1"],
  ["invalid IP", "127.0.0.1"],
  ["203.0.113.7, 1.2.3.4", "127.0.0.1"],
])("a caller whom the gateway names %s is of %s", (forwarded, network) => {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  expect(callerOf({ headers, ip: "127.0.0.1" }).network).toBe(network);
});
