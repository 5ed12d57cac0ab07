// What networks of @vladmandic/human give in TensorFlow.js: node tools/human.cjs ASKED.json, which
// holds {net, width, height, pixels (RGB, rows), box: [left, top, right, bottom], scale}. The face is
// cut as Human cuts it (src/face/facemeshutil.ts): 1.4 times the box, a square of 256 px, then the
// size of the network; scale: 1 for pixels of 0 to 1, 255 for 0 to 255. Or {net, fed}: what the network
// reads, row by row. Answers in JSON.
// NODE_PATH names a folder with @vladmandic/human and @tensorflow/tfjs.
const fs = require('fs');
const path = require('path');
const tf = require('@tensorflow/tfjs');

async function main() {
  await tf.setBackend('cpu');
  const asked = JSON.parse(fs.readFileSync(process.argv[2]));
  const folder = path.join(process.env.NODE_PATH, '@vladmandic', 'human', 'models');
  const model = JSON.parse(fs.readFileSync(path.join(folder, `${asked.net}.json`)));
  const net = await tf.loadGraphModel(tf.io.fromMemory({
    ...model,
    weightSpecs: model.weightsManifest[0].weights,
    weightData: new Uint8Array(fs.readFileSync(path.join(folder, `${asked.net}.bin`))).buffer,
  }));
  const [, rows, columns] = net.inputs[0].shape;
  const fed = asked.fed ? tf.tensor4d(asked.fed, [1, rows, columns, 3]) : cut(asked, rows, columns);
  const found = [net.execute(fed)].flat();
  return { fed: Array.from(fed.dataSync()), outputs: found.map((one) => Array.from(one.dataSync())) };
}

function cut(asked, rows, columns) {
  const picture = tf.tensor4d(asked.pixels, [1, asked.height, asked.width, 3], 'float32');
  const [left, top, right, bottom] = asked.box;
  const half = (1.4 * Math.max(right - left, bottom - top)) / 2;
  const edges = (middle) => [Math.round(middle - half), Math.round(middle + half)];
  const [x1, x2] = edges((left + right) / 2);
  const [y1, y2] = edges((top + bottom) / 2);
  const square = [[y1 / asked.height, x1 / asked.width, y2 / asked.height, x2 / asked.width]];
  const face = tf.div(tf.image.cropAndResize(picture, square, [0], [256, 256]), 255);
  return tf.mul(tf.image.resizeBilinear(face, [rows, columns]), asked.scale);
}

main().then((answer) => process.stdout.write(`\n${JSON.stringify(answer)}`));
