// The extension: starts `nnc lsp` for `.nn` files, and runs nnc in a terminal for its commands.

import * as path from 'node:path';
import * as vscode from 'vscode';
import { LanguageClient, LanguageClientOptions, ServerOptions, State } from 'vscode-languageclient/node';

let client: LanguageClient | undefined;
let status: vscode.StatusBarItem;

/** The program, as the user's settings name it. */
function program(): string {
    return vscode.workspace.getConfiguration('nnc').get<string>('path') || 'nnc';
}

/** The environment that nnc gets beside the editor's own. */
function environment(): Record<string, string> {
    const data = vscode.workspace.getConfiguration('nnc').get<string>('data');
    return data ? { NNC_DATA: data } : {};
}

async function start(): Promise<void> {
    const command = program();
    const server: ServerOptions = {
        command,
        args: ['lsp'],
        options: { env: { ...process.env, ...environment() } },
    };
    const options: LanguageClientOptions = {
        documentSelector: [{ language: 'nn' }],
        // Programs use others, and data are files, too.
        synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher('**/*.{nn,csv}') },
    };
    client = new LanguageClient('nnc', 'nnc', server, options);
    client.onDidChangeState(({ newState }) => show(newState));
    try {
        await client.start();
    } catch (error) {
        show(State.Stopped);
        const choice = await vscode.window.showErrorMessage(
            `nnc cannot be started as \`${command}\`: ${error}. Install nnc, or say in the settings where it is.`,
            'Open settings',
        );
        if (choice) {
            await vscode.commands.executeCommand('workbench.action.openSettings', 'nnc.path');
        }
    }
}

function show(state: State): void {
    const [icon, words] =
        state === State.Running
            ? ['$(check)', 'nnc answers']
            : state === State.Starting
              ? ['$(sync~spin)', 'nnc starts']
              : ['$(warning)', 'nnc is not running: click to start it'];
    status.text = `${icon} nnc`;
    status.tooltip = words;
}

/** The file that a command is about: a lens names it, else the editor's. */
async function file(uri: string | vscode.Uri | undefined): Promise<vscode.Uri | undefined> {
    const named = typeof uri === 'string' ? vscode.Uri.parse(uri) : uri;
    const chosen = named ?? vscode.window.activeTextEditor?.document.uri;
    if (!chosen || chosen.scheme !== 'file') {
        await vscode.window.showWarningMessage('Save the program to a file first.');
        return undefined;
    }
    const open = vscode.workspace.textDocuments.find((it) => it.uri.toString() === chosen.toString());
    await open?.save();
    return chosen;
}

/** Runs nnc on a file in a terminal, beside the file, without a shell that could read its name otherwise. */
async function run(command: string, uri: string | vscode.Uri | undefined, model: unknown): Promise<void> {
    const chosen = await file(uri);
    if (!chosen) {
        return;
    }
    const named = typeof model === 'string' ? ['--model', model] : [];
    const args = [command, path.basename(chosen.fsPath), ...named];
    const folder = vscode.workspace.getWorkspaceFolder(chosen) ?? vscode.TaskScope.Workspace;
    const execution = new vscode.ProcessExecution(program(), args, {
        cwd: path.dirname(chosen.fsPath),
        env: environment(),
    });
    const task = new vscode.Task({ type: 'nnc', command }, folder, `nnc ${command}`, 'nnc', execution);
    task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, clear: true };
    await vscode.tasks.executeTask(task);
}

/** Opens the page of the newest run beside a file. */
async function page(uri: string | vscode.Uri | undefined): Promise<void> {
    const chosen = await file(uri);
    if (!chosen) {
        return;
    }
    const beside = new vscode.RelativePattern(path.dirname(chosen.fsPath), 'runs/*/report.html');
    const pages = await vscode.workspace.findFiles(beside, null, 1000);
    const dated = await Promise.all(
        pages.map(async (it) => ({ it, time: (await vscode.workspace.fs.stat(it)).mtime })),
    );
    const newest = dated.sort((a, b) => b.time - a.time).at(0);
    if (newest) {
        await vscode.env.openExternal(newest.it);
    } else {
        await vscode.window.showInformationMessage('There is no page of a run beside this file yet.');
    }
}

export async function activate(context: vscode.ExtensionContext): Promise<void> {
    status = vscode.window.createStatusBarItem('nnc', vscode.StatusBarAlignment.Right);
    status.command = 'nnc.restart';
    status.show();
    context.subscriptions.push(
        status,
        vscode.commands.registerCommand('nnc.check', (uri, model) => run('check', uri, model)),
        vscode.commands.registerCommand('nnc.run', (uri, model) => run('run', uri, model)),
        vscode.commands.registerCommand('nnc.page', page),
        vscode.commands.registerCommand('nnc.restart', async () => {
            await client?.dispose();
            await start();
        }),
    );
    await start();
}

export async function deactivate(): Promise<void> {
    await client?.dispose();
}
