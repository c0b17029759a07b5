//! Page rendering, base layout, cookies, security headers, problem+json and client address
