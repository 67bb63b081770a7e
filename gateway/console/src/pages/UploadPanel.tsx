import { Alert, Button, Group, Paper, Progress, Text } from "@mantine/core";
import Dashboard from "@uppy/dashboard";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";

import { complain } from "../notify";
import { addFiles, makeUppy, type Meta, pickedFromDrop, pickedFromInput, type Target } from "../uploads";

interface Progressing {
  percent: number;
  files: number;
  done: boolean;
  errors: string[];
}

const idle: Progressing = { percent: 0, files: 0, done: false, errors: [] };

export function UploadPanel({ target, children }: { target: Target; children: React.ReactNode }) {
  const queries = useQueryClient();
  const uppy = useMemo(makeUppy, []);
  const [progress, setProgress] = useState(idle);
  const [over, setOver] = useState(false);
  const fileInput = useRef<HTMLInputElement>(null);
  const folderInput = useRef<HTMLInputElement>(null);

  useEffect(() => {
    uppy.use(Dashboard, {
      inline: false,
      closeModalOnClickOutside: true,
      proudlyDisplayPoweredByUppy: false,
      fileManagerSelectionType: "both",
      note: "Files go straight to storage; each upload of a name is a new version.",
    });
    uppy.on("files-added", (files) => setProgress({ ...idle, files: files.length }));
    uppy.on("progress", (percent) => setProgress((before) => ({ ...before, percent })));
    uppy.on("upload-error", (file, error) =>
      setProgress((before) => ({ ...before, errors: [...before.errors, `${file?.name}: ${error.message}`] })),
    );
    uppy.on("complete", (result) => {
      setProgress((before) => ({ ...before, percent: 100, done: (result.failed ?? []).length === 0 }));
      queries.invalidateQueries({ queryKey: ["files"] });
    });
    return () => uppy.destroy();
  }, [uppy, queries]);

  // The Dashboard's own picks know nothing of the folder that is shown.
  useEffect(() => {
    const setTarget = (file: { id: string; meta: { key?: string; relativePath?: string | null; name: string } }) => {
      if (file.meta.key === undefined) {
        const path = file.meta.relativePath || file.meta.name;
        uppy.setFileMeta(file.id, { ...file.meta, bucket: target.bucket, key: target.prefix + path });
      }
    };
    uppy.on("file-added", setTarget);
    return () => void uppy.off("file-added", setTarget);
  }, [uppy, target.bucket, target.prefix]);

  const add = (picked: Parameters<typeof addFiles>[2]) => {
    try {
      addFiles(uppy, target, picked);
    } catch (error) {
      complain(error);
    }
  };
  const busy = progress.files > 0 && !progress.done && progress.errors.length === 0;
  return (
    <div
      data-testid="file-list"
      style={{
        minHeight: 420,
        outline: over ? "2px dashed var(--mantine-color-teal-6)" : undefined,
        borderRadius: 8,
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        pickedFromDrop(event.dataTransfer).then(add, complain);
      }}
    >
      <Group mb="sm" gap="xs">
        <Button
          onClick={() => uppy.getPlugin<Dashboard<Meta, Record<string, never>>>("Dashboard")?.openModal()}
          data-testid="upload-button"
        >
          Upload files or folders
        </Button>
        <Button variant="default" onClick={() => folderInput.current?.click()}>
          Upload a folder
        </Button>
        <Text size="sm" c="dimmed">
          or drag them here
        </Text>
        <input
          ref={fileInput}
          type="file"
          multiple
          hidden
          data-testid="file-input"
          onChange={(event) => event.target.files && add(pickedFromInput(event.target.files))}
        />
        <input
          ref={folderInput}
          type="file"
          hidden
          data-testid="folder-input"
          {...{ webkitdirectory: "" }}
          onChange={(event) => event.target.files && add(pickedFromInput(event.target.files))}
        />
      </Group>
      {busy && (
        <Paper withBorder p="sm" mb="sm" data-testid="upload-progress" data-percent={progress.percent}>
          <Group justify="space-between">
            <Text size="sm">
              Uploading {progress.files} file{progress.files === 1 ? "" : "s"}: {Math.round(progress.percent)} %
            </Text>
            <Button size="compact-xs" variant="subtle" color="red" onClick={() => uppy.cancelAll()}>
              Cancel
            </Button>
          </Group>
          <Progress value={progress.percent} aria-label="Upload" />
        </Paper>
      )}
      {progress.done && (
        <Alert color="teal" mb="sm" data-testid="upload-done">
          {progress.files} file{progress.files === 1 ? "" : "s"} uploaded.
        </Alert>
      )}
      {progress.errors.length > 0 && (
        <Alert color="red" mb="sm" title="Not uploaded" data-testid="upload-error">
          {progress.errors.slice(0, 5).map((line) => (
            <div key={line}>{line}</div>
          ))}
          <Button size="compact-sm" mt="xs" onClick={() => uppy.retryAll()}>
            Try again
          </Button>
        </Alert>
      )}
      {children}
    </div>
  );
}
