// The stock .NET client against a server with the hubs of ../README.md.
//
//   reference-client URL TOKEN [TRANSPORT …] [ENCODING …]
//
// URL is the server's (http://127.0.0.1:5000), TOKEN an access token, or the name of an environment variable that
// holds one. Prints one line of JSON for each scenario: {"transport","encoding","scenario","result"} or "failure".
// REFERENCE_LEFT_OUT names scenarios that are not played, separated by semicolons.
// Exit code 0 when it got through, whatever the results: comparing them is the caller's business.

using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

if (args.Length < 2)
{
    Console.Error.WriteLine("reference-client URL TOKEN [WebSockets|ServerSentEvents|LongPolling …] [json|messagepack …]");
    return 2;
}
var url = args[0];
var token = Environment.GetEnvironmentVariable(args[1]) ?? args[1];
var transports = args.Skip(2).Where(each => Enum.TryParse<HttpTransportType>(each, out _)).Select(Enum.Parse<HttpTransportType>).ToArray();
if (transports.Length == 0) transports = [HttpTransportType.WebSockets, HttpTransportType.ServerSentEvents, HttpTransportType.LongPolling];
var encodings = args.Skip(2).Where(each => each is "json" or "messagepack").ToArray();
if (encodings.Length == 0) encodings = ["json", "messagepack"];
var leftOut = (Environment.GetEnvironmentVariable("REFERENCE_LEFT_OUT") ?? "").Split(';');
var patience = TimeSpan.FromSeconds(10);

foreach (var transport in transports)
{
    foreach (var encoding in encodings)
    {
        if (transport == HttpTransportType.ServerSentEvents && encoding == "messagepack") continue;
        await RunAll(transport, encoding);
    }
}
return 0;

async Task RunAll(HttpTransportType transport, string encoding)
{
    async Task Scenario(string name, Func<Task<object?>> play)
    {
        if (leftOut.Contains(name)) return;
        string line;
        try
        {
            var result = await play().WaitAsync(patience);
            line = JsonSerializer.Serialize(new { transport = transport.ToString(), encoding, scenario = name, result });
        }
        catch (Exception error)
        {
            var failure = $"{error.GetType().Name}: {error.Message}";
            line = JsonSerializer.Serialize(new { transport = transport.ToString(), encoding, scenario = name, failure });
        }
        Console.WriteLine(line);
    }

    HubConnection Build(string hub, bool isResumable = false, bool reconnects = false)
    {
        var builder = new HubConnectionBuilder().WithUrl(
            $"{url}{hub}",
            transport,
            options => options.AccessTokenProvider = () => Task.FromResult<string?>(token)
        );
        if (encoding == "messagepack") builder.AddMessagePackProtocol();
        if (isResumable) builder.WithStatefulReconnect();
        if (reconnects) builder.WithAutomaticReconnect([TimeSpan.Zero, TimeSpan.FromMilliseconds(100)]);
        return builder.Build();
    }

    // A connection of its own for each scenario that changes one.
    async Task<object?> With(string hub, Func<HubConnection, Task<object?>> play, bool isResumable = false)
    {
        await using var connection = Build(hub, isResumable);
        await connection.StartAsync();
        return await play(connection);
    }

    async Task<string> Failure(Func<Task> act)
    {
        try
        {
            await act();
            return "(no failure)";
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name}: {error.Message}";
        }
    }

    await Scenario("connect", () => With("/hubs/main", connection =>
        Task.FromResult<object?>(new { state = connection.State.ToString(), hasId = connection.ConnectionId is not null })));
    await Scenario("invoke", () => With("/hubs/main", async connection => await connection.InvokeAsync<int>("Add", 2, 3)));
    await Scenario("names in any case", () => With("/hubs/main", async connection => await connection.InvokeAsync<int>("aDD", 2, 3)));
    await Scenario("echo of values", () => With("/hubs/main", async connection => new object?[]
    {
        await connection.InvokeAsync<string>("Echo", "é 😀"),
        await connection.InvokeAsync<double>("Echo", 1.5),
        await connection.InvokeAsync<long>("Echo", 4294967296),
        await connection.InvokeAsync<bool>("Echo", true),
        await connection.InvokeAsync<string?>("Echo", (object?)null),
        await connection.InvokeAsync<int[]>("Echo", new[] { 1, 2, 3 }),
        await connection.InvokeAsync<Dictionary<string, int>>("Echo", new Dictionary<string, int> { ["a"] = 1 }),
    }));
    await Scenario("bytes", () => With("/hubs/main", async connection =>
        Convert.ToHexString(await connection.InvokeAsync<byte[]>("EchoBytes", new byte[] { 0, 1, 255 }))));
    await Scenario("void and null", () => With("/hubs/main", async connection =>
    {
        await connection.InvokeAsync("Nothing");
        return new object?[] { await connection.InvokeAsync<string?>("Null"), await connection.InvokeAsync<string?>("Nothing") };
    }));
    await Scenario("send without an answer", () => With("/hubs/main", async connection =>
    {
        await connection.SendAsync("Crash");
        return await connection.InvokeAsync<string>("Echo", "still there");
    }));
    await Scenario("failures", () => With("/hubs/main", async connection => new[]
    {
        await Failure(() => connection.InvokeAsync("Fail", "no bed left")),
        await Failure(() => connection.InvokeAsync("Crash")),
        await Failure(() => connection.InvokeAsync("NoSuchMethod")),
        await Failure(() => connection.InvokeAsync("Add", 1)),
        await Failure(() => connection.InvokeAsync("Add", "two", 3)),
        await Failure(() => connection.InvokeAsync("Doctors")),
    }));
    await Scenario("events", () => With("/hubs/main", async connection =>
    {
        var heard = Channel.CreateUnbounded<object?[]>();
        connection.On<string>("said", what => heard.Writer.TryWrite([what]));
        connection.On("done", () => heard.Writer.TryWrite([]));
        connection.On<string, int, string?, int[]>("several", (a, b, c, d) => heard.Writer.TryWrite([a, b, c, d]));
        connection.On<byte[]>("bytes", bytes => heard.Writer.TryWrite([Convert.ToHexString(bytes)]));
        await connection.InvokeAsync("TellCaller", "hello");
        await connection.InvokeAsync("TellNothing");
        await connection.InvokeAsync("TellSeveral");
        await connection.InvokeAsync("TellBytes");
        return new[] { await heard.Reader.ReadAsync(), await heard.Reader.ReadAsync(), await heard.Reader.ReadAsync(), await heard.Reader.ReadAsync() };
    }));
    await Scenario("groups", () => With("/hubs/main", async connection =>
    {
        var heard = Channel.CreateUnbounded<string>();
        connection.On<string>("said", what => heard.Writer.TryWrite(what));
        await connection.InvokeAsync("TellGroup", "client", "before");
        await connection.InvokeAsync("Join", "client");
        await connection.InvokeAsync("TellGroup", "client", "member");
        await connection.InvokeAsync("Leave", "client");
        await connection.InvokeAsync("TellGroup", "client", "after");
        await connection.InvokeAsync("TellCaller", "end");
        return new[] { await heard.Reader.ReadAsync(), await heard.Reader.ReadAsync() };
    }));
    await Scenario("stream", () => With("/hubs/main", async connection =>
    {
        var items = new List<int>();
        await foreach (var item in connection.StreamAsync<int>("Count", 5)) items.Add(item);
        return items;
    }));
    await Scenario("stream that fails", () => With("/hubs/main", async connection =>
    {
        var items = new List<int>();
        var failure = await Failure(async () =>
        {
            await foreach (var item in connection.StreamAsync<int>("CountThenFail", 2, "no bed left")) items.Add(item);
        });
        return new { items, failure };
    }));
    await Scenario("stream that is cancelled", () => With("/hubs/main", async connection =>
    {
        var gate = $"client-{transport}-{encoding}";
        using var cancelled = new CancellationTokenSource();
        var failure = await Failure(async () =>
        {
            await foreach (var _ in connection.StreamAsync<string>("Endless", gate, cancelled.Token)) await cancelled.CancelAsync();
        });
        return new { failure, wasTold = await connection.InvokeAsync<string>("Wait", gate) == gate };
    }));
    await Scenario("upload", () => With("/hubs/main", async connection => await connection.InvokeAsync<int>("Sum", Numbers(40))));
    await Scenario("two uploads", () => With("/hubs/main", async connection =>
        await connection.InvokeAsync<int[]>("SumTwo", Numbers(3), Numbers(4))));
    await Scenario("up and down", () => With("/hubs/main", async connection =>
    {
        var items = new List<int>();
        await foreach (var item in connection.StreamAsync<int>("Scale", Numbers(3), 10)) items.Add(item);
        return items;
    }));
    await Scenario("client result", () => With("/hubs/main", async connection =>
    {
        connection.On<string, string>("answer", question => $"to {question}");
        return await connection.InvokeAsync<string>("Ask", "how many?");
    }));
    await Scenario("client result that fails", () => With("/hubs/main", async connection =>
    {
        connection.On<string, string>("answer", string (question) => throw new InvalidOperationException("the client's reason"));
        return await Failure(() => connection.InvokeAsync<string>("Ask", "how many?"));
    }));
    await Scenario("client result without a handler", () => With("/hubs/main", async connection =>
        await Failure(() => connection.InvokeAsync<string>("Ask", "how many?"))));
    await Scenario("closed by the server", () => With("/hubs/main", async connection =>
    {
        var closed = new TaskCompletionSource<string?>();
        connection.Closed += error =>
        {
            closed.TrySetResult(error?.Message);
            return Task.CompletedTask;
        };
        var call = Failure(() => connection.InvokeAsync("Abort"));
        return new { closed = await closed.Task, call = await call };
    }));
    await Scenario("refused at connect", async () =>
    {
        await using var connection = Build("/hubs/refusing-hub-exception");
        var closed = new TaskCompletionSource<string?>();
        // Before it starts: it may be closed before that returns.
        connection.Closed += error =>
        {
            closed.TrySetResult(error?.Message);
            return Task.CompletedTask;
        };
        await connection.StartAsync();
        return await closed.Task;
    });
    await Scenario("automatic reconnect", async () =>
    {
        await using var connection = Build("/hubs/main", reconnects: true);
        var told = Channel.CreateUnbounded<string>();
        connection.Reconnecting += error =>
        {
            told.Writer.TryWrite($"reconnecting: {error?.Message}");
            return Task.CompletedTask;
        };
        connection.Reconnected += id =>
        {
            told.Writer.TryWrite("reconnected");
            return Task.CompletedTask;
        };
        connection.Closed += error =>
        {
            told.Writer.TryWrite($"closed: {error?.Message}");
            return Task.CompletedTask;
        };
        await connection.StartAsync();
        var before = connection.ConnectionId;
        // More than a message may be: the server closes, and allows to come back.
        await connection.SendAsync("Echo", new string('x', 40_000));
        var first = await told.Reader.ReadAsync();
        if (!first.StartsWith("reconnecting")) return new[] { first };
        var second = await told.Reader.ReadAsync();
        return new[] { first, second, before == connection.ConnectionId ? "same id" : "another id" };
    });
    if (transport == HttpTransportType.WebSockets)
    {
        await Scenario("stateful reconnect allowed", () => With("/hubs/resumable", async connection =>
            await connection.InvokeAsync<string>("Echo", "resumable"), isResumable: true));
        await Scenario("stateful reconnect not allowed", () => With("/hubs/main", async connection =>
            await connection.InvokeAsync<string>("Echo", "plain"), isResumable: true));
    }
}

static async IAsyncEnumerable<int> Numbers(int count)
{
    for (var number = 1; number <= count; number++)
    {
        await Task.Yield();
        yield return number;
    }
}
