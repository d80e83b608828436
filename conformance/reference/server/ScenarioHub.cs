// What every hub of the reference offers. The table in ../README.md says the same for the other server.

using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;

namespace Reference;

[Authorize]
public abstract class ScenarioHub : Hub
{
    // ---- values

    public object? Echo(object? value) => value;

    public byte[] EchoBytes(byte[] bytes) => bytes;

    public int Add(int a, int b) => a + b;

    public string Describe(string text, int number, bool flag) => $"{text} {number} {(flag ? "yes" : "no")}";

    public void Nothing() { }

    public async Task NothingLater() => await Task.Yield();

    public string? Null() => null;

    public async Task<string?> NullLater()
    {
        await Task.Yield();
        return null;
    }

    public async Task<object?> EchoLater(object? value)
    {
        await Task.Yield();
        return value;
    }

    [HubMethodName("renamed")]
    public string OriginalName() => "renamed";

    public string Who() => $"{Context.UserIdentifier} {Context.ConnectionId}";

    // ---- failures

    public void Fail(string message) => throw new HubException(message);

    public async Task FailLater(string message)
    {
        await Task.Yield();
        throw new HubException(message);
    }

    public void FailWithoutText() => throw new HubException("");

    public void Crash() => throw new InvalidOperationException("a secret of the server");

    [Authorize("Doctors")]
    public string Doctors() => "open";

    [Authorize("Doctors")]
    public int DoctorsAdd(int a, int b) => a + b;

    [Authorize("Doctors")]
    public IAsyncEnumerable<int> DoctorsCount(int count) => Count(count, CancellationToken.None);

    // ---- time

    public async Task<string> Wait(string gate)
    {
        await Gates.Pass(gate, Context.ConnectionAborted);
        return gate;
    }

    public void Open(string gate) => Gates.Open(gate);

    public void Abort() => Context.Abort();

    // ---- streams to the client

    public async IAsyncEnumerable<int> Count(int count, [EnumeratorCancellation] CancellationToken cancelled)
    {
        for (var number = 1; number <= count; number++)
        {
            cancelled.ThrowIfCancellationRequested();
            await Task.Yield();
            yield return number;
        }
    }

    public ChannelReader<int> CountChannel(int count)
    {
        var channel = Channel.CreateUnbounded<int>();
        for (var number = 1; number <= count; number++) channel.Writer.TryWrite(number);
        channel.Writer.Complete();
        return channel.Reader;
    }

    public async Task<IAsyncEnumerable<int>> CountLater(int count)
    {
        await Task.Yield();
        return Count(count, CancellationToken.None);
    }

    public async IAsyncEnumerable<string?> Texts()
    {
        await Task.Yield();
        yield return "one";
        yield return null;
    }

    public async IAsyncEnumerable<int> CountThenFail(int count, string message)
    {
        await foreach (var number in Count(count, CancellationToken.None)) yield return number;
        throw new HubException(message);
    }

    public async IAsyncEnumerable<int> CountThenCrash(int count)
    {
        await foreach (var number in Count(count, CancellationToken.None)) yield return number;
        throw new InvalidOperationException("a secret of the server");
    }

    public IAsyncEnumerable<int> FailBeforeStream(string message) => throw new HubException(message);

    public IAsyncEnumerable<int> NoStream() => null!;

    /// <summary>One item, then nothing until it is cancelled; then opens the gate.</summary>
    public async IAsyncEnumerable<string> Endless(string gate, [EnumeratorCancellation] CancellationToken cancelled)
    {
        try
        {
            yield return "first";
            await Task.Delay(Timeout.Infinite, cancelled);
        }
        finally
        {
            Gates.Open(gate);
        }
    }

    /// <summary>Items for as long as gates are opened: `gate-1`, `gate-2` …</summary>
    public async IAsyncEnumerable<int> Gated(int count, string gate, [EnumeratorCancellation] CancellationToken cancelled)
    {
        for (var number = 1; number <= count; number++)
        {
            await Gates.Pass($"{gate}-{number}", cancelled);
            yield return number;
        }
    }

    // ---- streams from the client

    public async Task<int> Sum(IAsyncEnumerable<int> items)
    {
        var sum = 0;
        await foreach (var item in items) sum += item;
        return sum;
    }

    public async Task<int> SumChannel(ChannelReader<int> items)
    {
        var sum = 0;
        await foreach (var item in items.ReadAllAsync()) sum += item;
        return sum;
    }

    public async Task<string> SumBetween(int before, IAsyncEnumerable<int> items, int after) =>
        $"{before} {await Sum(items)} {after}";

    public async Task<int[]> SumTwo(IAsyncEnumerable<int> first, IAsyncEnumerable<int> second) =>
        [await Sum(first), await Sum(second)];

    public async Task Swallow(IAsyncEnumerable<int> items) => await Sum(items);

    /// <summary>Opens the gate however the upload ends.</summary>
    public async Task SumThenOpen(IAsyncEnumerable<int> items, string gate)
    {
        try
        {
            await Sum(items);
        }
        finally
        {
            Gates.Open(gate);
        }
    }

    /// <summary>Ends before anything was uploaded.</summary>
    public string IgnoreUpload(IAsyncEnumerable<int> items) => "ignored";

    /// <summary>Ends after the first item.</summary>
    public async Task<int> FirstOf(IAsyncEnumerable<int> items)
    {
        await foreach (var item in items) return item;
        return 0;
    }

    /// <summary>How the upload ended: its sum, or the error's type and text.</summary>
    public async Task<string> UploadOutcome(IAsyncEnumerable<int> items)
    {
        try
        {
            return $"sum {await Sum(items)}";
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name}: {error.Message}";
        }
    }

    /// <summary>Up and down at once.</summary>
    public async IAsyncEnumerable<int> Scale(IAsyncEnumerable<int> items, int factor)
    {
        await foreach (var item in items) yield return item * factor;
    }

    // ---- the server asks the client

    public Task<string> Ask(string question) =>
        Clients.Caller.InvokeAsync<string>("answer", question, Context.ConnectionAborted);

    public Task<string> AskConnection(string connectionId, string question) =>
        Clients.Client(connectionId).InvokeAsync<string>("answer", question, Context.ConnectionAborted);

    /// <summary>The answer, or the error's type and text.</summary>
    public async Task<string> AskOutcome(string question)
    {
        try
        {
            return $"answer {await Ask(question)}";
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name}: {error.Message}";
        }
    }

    public async Task<string> AskConnectionOutcome(string connectionId, string question)
    {
        try
        {
            return $"answer {await AskConnection(connectionId, question)}";
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name}: {error.Message}";
        }
    }

    // ---- events

    public Task Join(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);

    public Task Leave(string group) => Groups.RemoveFromGroupAsync(Context.ConnectionId, group);

    public Task TellGroup(string group, string what) => Clients.Group(group).SendAsync("said", what);

    public Task TellOthersInGroup(string group, string what) => Clients.OthersInGroup(group).SendAsync("said", what);

    public Task TellGroupExcept(string group, string what, string connectionId) =>
        Clients.GroupExcept(group, connectionId).SendAsync("said", what);

    public Task TellAll(string what) => Clients.All.SendAsync("said", what);

    public Task TellAllExcept(string what, string connectionId) => Clients.AllExcept(connectionId).SendAsync("said", what);

    public Task TellOthers(string what) => Clients.Others.SendAsync("said", what);

    public Task TellCaller(string what) => Clients.Caller.SendAsync("said", what);

    public Task TellUser(string user, string what) => Clients.User(user).SendAsync("said", what);

    public Task TellConnection(string connectionId, string what) => Clients.Client(connectionId).SendAsync("said", what);

    public Task TellNothing() => Clients.Caller.SendAsync("done");

    public Task TellSeveral() => Clients.Caller.SendAsync("several", "one", 2, null, new[] { 3, 4 });

    public Task TellBytes() => Clients.Caller.SendAsync("bytes", new byte[] { 1, 2, 255 });

    public async Task TellMany(int count)
    {
        for (var number = 1; number <= count; number++) await Clients.Caller.SendAsync("number", number);
    }
}
