// Prints, as JSON, what ASP.NET Core's own options say when nobody sets them, and what a hub can reach. Built together
// with the C# of docs/migrating-from-aspnet-core.md; nothing of that runs.

using System.Collections;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

var builder = WebApplication.CreateBuilder();
builder.Services.AddSignalR();
await using var app = builder.Build();

var endpoint = new HttpConnectionDispatcherOptions();
var defaults = new SortedDictionary<string, string>();
Read("HubOptions.", app.Services.GetRequiredService<IOptions<HubOptions>>().Value);
Read("ConnectionOptions.", app.Services.GetRequiredService<IOptions<ConnectionOptions>>().Value);
Read("", endpoint);
Read("LongPolling.", endpoint.LongPolling);
Read("WebSockets.", endpoint.WebSockets);

var members = new SortedDictionary<string, string[]>
{
    ["Context"] = MembersOf(typeof(HubCallerContext)),
    ["Clients"] = MembersOf(typeof(IHubCallerClients)),
    ["Groups"] = MembersOf(typeof(IGroupManager)),
};
Console.WriteLine(JsonSerializer.Serialize(new { defaults, members }));

void Read(string prefix, object options)
{
    foreach (var property in options.GetType().GetProperties())
    {
        // What nobody set is filled in by who uses it: the value stands in the class that sets up the options.
        var value = property.GetValue(options) ?? Fallback(property.Name);
        if (value is string or not IEnumerable) defaults[prefix + property.Name] = Text(value);
    }
}

static object? Fallback(string name) =>
    typeof(HubOptions).Assembly.GetTypes().Concat(typeof(Hub).Assembly.GetTypes())
        .Where(type => type.Name == "HubOptionsSetup")
        .Select(type => type.GetProperty("Default" + name, BindingFlags.Static | BindingFlags.NonPublic))
        .FirstOrDefault(property => property is not null)?.GetValue(null);

static string Text(object? value) => value switch
{
    TimeSpan time => FormattableString.Invariant($"{time.TotalSeconds} s"),
    bool isOn => isOn ? "on" : "off",
    null => "unset",
    _ => value.ToString() ?? "",
};

static string[] MembersOf(Type type) =>
    [.. type.GetInterfaces().Append(type).SelectMany(each => each.GetMembers()).Select(member => member.Name).Distinct()];
