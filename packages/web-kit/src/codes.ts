/** The codes of statuses that mean the same wherever they come from (packages/contract). */
export const codes = {
  400: "bad_request",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  413: "payload_too_large",
  415: "unsupported_media_type",
  422: "validation",
  500: "internal_error",
  503: "unavailable",
} as const;
