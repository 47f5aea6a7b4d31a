// npm's @saintno/comfyui-sdk: node saintno.mjs URL workflow.json folder. Its packages lie in NODE_CLIENTS.
import { readFileSync, writeFileSync } from "node:fs";

const [url, workflow, folder] = process.argv.slice(2);
const packages = `${process.env.NODE_CLIENTS}/node_modules`;
const { CallWrapper, ComfyApi, PromptBuilder } = await import(`${packages}/@saintno/comfyui-sdk/build/index.esm.js`);

const api = await new ComfyApi(url).init().waitForReady();
const prompt = new PromptBuilder(JSON.parse(readFileSync(workflow, "utf8")), [], ["images"]).setOutputNode("images", "2");
const done = await new CallWrapper(api, prompt)
  .onProgress(({ value, max }) => console.log(JSON.stringify({ progress: [value, max] })))
  .onPreview((blob) => console.log(JSON.stringify({ preview: blob.size })))
  .onFailed((error) => console.log(JSON.stringify({ refused: `${error.message} ${JSON.stringify(error.cause ?? "")}` })))
  .run();
for (const [number, image] of (done ? done.images.images : []).entries()) {
  writeFileSync(`${folder}/${number}.received`, Buffer.from(await (await api.getImage(image)).arrayBuffer()));
}
process.exit(0);
