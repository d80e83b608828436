// Reads access tokens as the tests make them. Signatures are NOT checked: this server is a test reference that
// listens on loopback only, and what is compared here is the wire, not the verification of tokens.

using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace Reference;

public sealed class TestTokens(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory logger,
    UrlEncoder encoder
) : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "Bearer";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        var token = header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? header["Bearer ".Length..]
            : Request.Query["access_token"].ToString();
        return Task.FromResult(token.Length == 0 ? AuthenticateResult.NoResult() : Read(token));
    }

    private static AuthenticateResult Read(string token)
    {
        try
        {
            using var payload = JsonDocument.Parse(WebEncoders.Base64UrlDecode(token.Split('.')[1]));
            var claims = payload.RootElement;
            var subject = claims.GetProperty("sub").GetString()!;
            var expires = DateTimeOffset.FromUnixTimeSeconds(claims.GetProperty("exp").GetInt64());
            if (expires <= DateTimeOffset.UtcNow) return AuthenticateResult.Fail("expired");
            var identity = new ClaimsIdentity(SchemeName, ClaimTypes.NameIdentifier, "role");
            identity.AddClaim(new Claim(ClaimTypes.NameIdentifier, subject));
            if (claims.TryGetProperty("roles", out var roles))
            {
                foreach (var role in roles.EnumerateArray()) identity.AddClaim(new Claim("role", role.GetString()!));
            }
            var properties = new AuthenticationProperties { ExpiresUtc = expires };
            return AuthenticateResult.Success(
                new AuthenticationTicket(new ClaimsPrincipal(identity), properties, SchemeName)
            );
        }
        catch (Exception error) when (error is JsonException or FormatException or IndexOutOfRangeException or KeyNotFoundException)
        {
            return AuthenticateResult.Fail("unreadable");
        }
    }
}
