//! OAuth 2 and OpenID Connect: authorize, token, userinfo, discovery, keys
