//! Everything every page and every answer shares: rendering, base layout, stylesheet, request id, client address,
//! security headers, cookies, Origin check, problem+json and page errors.
