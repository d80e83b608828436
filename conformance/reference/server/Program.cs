// The reference: ASP.NET Core's own SignalR, with the hubs of ScenarioHub.cs, on a free loopback port.
// Prints one line of JSON when it is ready, ends on SIGTERM.
//
// Environment, all optional: REFERENCE_LOG=1 logs to standard error; REFERENCE_KEEP_ALIVE_MS,
// REFERENCE_CLIENT_TIMEOUT_MS, REFERENCE_HANDSHAKE_TIMEOUT_MS, REFERENCE_DISCONNECT_MS replace the defaults of
// every hub that sets none of its own.

using System.Net;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Reference;

var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
builder.Logging.ClearProviders();
if (Environment.GetEnvironmentVariable("REFERENCE_LOG") == "1")
{
    builder.Logging.SetMinimumLevel(LogLevel.Debug).AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
}
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
builder.Services.Configure<ConnectionOptions>(connections =>
    connections.DisconnectTimeout = Milliseconds("REFERENCE_DISCONNECT_MS") ?? connections.DisconnectTimeout
);
builder.Services.AddCors(cors =>
    cors.AddDefaultPolicy(policy =>
        policy.WithOrigins("https://app.example").AllowAnyHeader().AllowAnyMethod().AllowCredentials()
    )
);
builder.Services.AddAuthentication(TestTokens.SchemeName)
    .AddScheme<AuthenticationSchemeOptions, TestTokens>(TestTokens.SchemeName, null);
builder.Services.AddAuthorizationBuilder().AddPolicy("Doctors", policy => policy.RequireRole("doctor"));
builder.Services
    .AddSignalR(hubs =>
    {
        hubs.KeepAliveInterval = Milliseconds("REFERENCE_KEEP_ALIVE_MS");
        hubs.ClientTimeoutInterval = Milliseconds("REFERENCE_CLIENT_TIMEOUT_MS");
        hubs.HandshakeTimeout = Milliseconds("REFERENCE_HANDSHAKE_TIMEOUT_MS");
    })
    .AddMessagePackProtocol()
    .AddHubOptions<DetailedHub>(hub => hub.EnableDetailedErrors = true)
    .AddHubOptions<RefusingDetailedHub>(hub => hub.EnableDetailedErrors = true)
    .AddHubOptions<ParallelHub>(hub => hub.MaximumParallelInvocationsPerClient = 2)
    .AddHubOptions<SmallHub>(hub => hub.MaximumReceiveMessageSize = 1024)
    .AddHubOptions<JsonHub>(hub => hub.SupportedProtocols = ["json"])
    .AddHubOptions<ImpatientHub>(hub =>
    {
        hub.KeepAliveInterval = TimeSpan.FromMilliseconds(900);
        hub.ClientTimeoutInterval = TimeSpan.FromSeconds(2);
        hub.HandshakeTimeout = TimeSpan.FromMilliseconds(300);
    });

var app = builder.Build();
app.UseCors();
app.UseAuthentication();
app.UseAuthorization();
app.UseWebSockets();

app.MapHub<MainHub>("/hubs/main");
app.MapHub<DetailedHub>("/hubs/detailed");
app.MapHub<ParallelHub>("/hubs/parallel");
app.MapHub<SmallHub>("/hubs/small");
app.MapHub<ResumableHub>("/hubs/resumable", hub => hub.AllowStatefulReconnects = true);
app.MapHub<JsonHub>("/hubs/json-only");
app.MapHub<VersionOneHub>("/hubs/version-one", hub => hub.MinimumProtocolVersion = 1);
app.MapHub<WebSocketsHub>("/hubs/web-sockets", hub => hub.Transports = HttpTransportType.WebSockets);
app.MapHub<ServerSentEventsHub>("/hubs/server-sent-events", hub => hub.Transports = HttpTransportType.ServerSentEvents);
app.MapHub<LongPollingHub>("/hubs/long-polling", hub => hub.Transports = HttpTransportType.LongPolling);
app.MapHub<ImpatientHub>("/hubs/impatient", hub => hub.LongPolling.PollTimeout = TimeSpan.FromMilliseconds(300));
app.MapHub<ExpiringHub>("/hubs/expiring", hub => hub.CloseOnAuthenticationExpiration = true);
app.MapHub<GreetingHub>("/hubs/greeting");
app.MapHub<RefusingHub>("/hubs/refusing");
app.MapHub<RefusingHubExceptionHub>("/hubs/refusing-hub-exception");
app.MapHub<RefusingDetailedHub>("/hubs/refusing-detailed");
app.MapHub<AbortingHub>("/hubs/aborting");
app.MapHub<AskingHub>("/hubs/asking");

await app.StartAsync();
Console.WriteLine(
    JsonSerializer.Serialize(
        new
        {
            port = new Uri(app.Urls.First()).Port,
            framework = VersionOf(typeof(Hub)),
            messagePack = VersionOf(typeof(MessagePackHubProtocol)),
        }
    )
);
await app.WaitForShutdownAsync();

static TimeSpan? Milliseconds(string name) =>
    int.TryParse(Environment.GetEnvironmentVariable(name), out var value) ? TimeSpan.FromMilliseconds(value) : null;

static string VersionOf(Type type) =>
    type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
