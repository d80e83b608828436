// What the C# blocks of docs/migrating-from-aspnet-core.md stand in.

global using System.Diagnostics;
global using System.Runtime.CompilerServices;
global using Microsoft.AspNetCore.Authentication;
global using Microsoft.AspNetCore.Authorization;
global using Microsoft.AspNetCore.SignalR;

/// <summary>
/// Stands in for Microsoft.AspNetCore.Authentication.JwtBearer, a package of its own that is not part of the framework:
/// the guide's use of it is checked for its form only.
/// </summary>
internal static class JwtBearerStandIn
{
    public sealed class JwtBearerOptions : AuthenticationSchemeOptions
    {
        public string? Authority { get; set; }
    }

    public static AuthenticationBuilder AddJwtBearer(this AuthenticationBuilder builder, Action<JwtBearerOptions> configure)
    {
        configure(new JwtBearerOptions());
        return builder;
    }
}
