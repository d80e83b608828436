// Named gates: a call waits at one, another call opens it. So that the order of things is a fact, not a matter of time.

using System.Collections.Concurrent;

namespace Reference;

public static class Gates
{
    private static readonly ConcurrentDictionary<string, TaskCompletionSource> Known = new();

    public static void Open(string name) => Gate(name).TrySetResult();

    /// <summary>Passes when the gate is, or was already, opened; the gate is closed again behind the one who passed.</summary>
    public static async Task Pass(string name, CancellationToken aborted)
    {
        await Gate(name).Task.WaitAsync(aborted);
        Known.TryRemove(name, out _);
    }

    private static TaskCompletionSource Gate(string name) =>
        Known.GetOrAdd(name, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}
