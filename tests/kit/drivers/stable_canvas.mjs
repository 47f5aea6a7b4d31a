// npm's @stable-canvas/comfyui-client: node stable_canvas.mjs URL workflow.json folder. Its packages lie in NODE_CLIENTS.
import { readFileSync, writeFileSync } from "node:fs";

const [url, workflow, folder] = process.argv.slice(2);
const packages = `${process.env.NODE_CLIENTS}/node_modules`;
const { default: WebSocket } = await import(`${packages}/ws/wrapper.mjs`);
const { Client } = await import(`${packages}/@stable-canvas/comfyui-client/dist/main.modern.mjs`);

const client = new Client({ api_host: new URL(url).host, WebSocket, fetch });
await client.connect();
try {
  const prompt = JSON.parse(readFileSync(workflow, "utf8"));
  const progress = ({ value, max }) => console.log(JSON.stringify({ progress: [value, max] }));
  const { images } = await client.enqueue(prompt, { progress });
  for (const [number, image] of images.entries()) {
    const content = image.type === "url" ? await (await fetch(image.data)).arrayBuffer() : image.data;
    writeFileSync(`${folder}/${number}.received`, Buffer.from(content));
  }
} catch (error) {
  console.log(JSON.stringify({ refused: `${error.message} ${JSON.stringify(error.cause ?? "")}` }));
}
process.exit(0);
