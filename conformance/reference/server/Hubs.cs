// The hubs: one surface, one setting changed each.

using Microsoft.AspNetCore.SignalR;

namespace Reference;

public sealed class MainHub : ScenarioHub;

/// <summary>EnableDetailedErrors.</summary>
public sealed class DetailedHub : ScenarioHub;

/// <summary>Two invocations at a time.</summary>
public sealed class ParallelHub : ScenarioHub;

/// <summary>Messages up to 1024 bytes.</summary>
public sealed class SmallHub : ScenarioHub;

/// <summary>Stateful reconnect allowed.</summary>
public sealed class ResumableHub : ScenarioHub;

/// <summary>JSON only.</summary>
public sealed class JsonHub : ScenarioHub;

/// <summary>Negotiate version 1 at least.</summary>
public sealed class VersionOneHub : ScenarioHub;

public sealed class WebSocketsHub : ScenarioHub;

public sealed class ServerSentEventsHub : ScenarioHub;

public sealed class LongPollingHub : ScenarioHub;

/// <summary>Pings every second, waits 2 s for the client, 300 ms for the handshake, 300 ms in a poll.</summary>
public sealed class ImpatientHub : ScenarioHub;

/// <summary>Closes connections whose credential expired.</summary>
public sealed class ExpiringHub : ScenarioHub;

public sealed class GreetingHub : ScenarioHub
{
    public override Task OnConnectedAsync() => Clients.Caller.SendAsync("said", "welcome");

    public override async Task OnDisconnectedAsync(Exception? exception) =>
        await Clients.Others.SendAsync("said", $"gone: {exception?.GetType().Name ?? "no error"}");
}

public sealed class RefusingHub : ScenarioHub
{
    public override Task OnConnectedAsync() => throw new InvalidOperationException("a secret of the server");
}

public sealed class RefusingHubExceptionHub : ScenarioHub
{
    public override Task OnConnectedAsync() => throw new HubException("not today");
}

public sealed class RefusingDetailedHub : ScenarioHub
{
    public override Task OnConnectedAsync() => throw new InvalidOperationException("a secret of the server");
}

public sealed class AbortingHub : ScenarioHub
{
    public override Task OnConnectedAsync()
    {
        Context.Abort();
        return Task.CompletedTask;
    }
}

public sealed class AskingHub : ScenarioHub
{
    public override async Task OnConnectedAsync()
    {
        try
        {
            await Clients.Caller.InvokeAsync<string>("answer", "at connect", CancellationToken.None);
        }
        catch (Exception error)
        {
            await Clients.Caller.SendAsync("said", $"{error.GetType().Name}: {error.Message}");
        }
    }
}
