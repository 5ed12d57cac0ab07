// What face-api itself finds: node tools/face_api.cjs ASKED.json, which holds
// {net, width, height, pixels (RGB, rows), boxes: [[x, y, width, height]]}; answers in JSON.
// NODE_PATH names a folder with @vladmandic/face-api, @tensorflow/tfjs and its wasm backend.
const fs = require('fs');
const path = require('path');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

const { tf } = faceapi;
const models = path.join(path.dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');

function loaded(net, name) {
  const manifest = JSON.parse(fs.readFileSync(path.join(models, `${name}_model-weights_manifest.json`)));
  const bytes = new Uint8Array(fs.readFileSync(path.join(models, `${name}_model.bin`))).buffer;
  net.loadFromWeightMap(tf.io.decodeWeights(bytes, manifest[0].weights));
  return net;
}

const nets = {
  face_landmark_68: () => new faceapi.FaceLandmark68Net(),
  face_landmark_68_tiny: () => new faceapi.FaceLandmark68TinyNet(),
  tiny_face_detector: () => new faceapi.TinyFaceDetector(),
  face_recognition: () => new faceapi.FaceRecognitionNet(),
  ssd_mobilenetv1: () => new faceapi.SsdMobilenetv1(),
};

async function main() {
  await tf.setBackend('cpu');
  await tf.ready();
  const asked = JSON.parse(fs.readFileSync(process.argv[2]));
  const net = loaded(nets[asked.net](), asked.net);
  const picture = tf.tensor3d(asked.pixels, [asked.height, asked.width, 3], 'float32');
  if (asked.net === 'face_recognition') return Array.from(await net.computeFaceDescriptor(picture));
  if (asked.boxes) {
    const rectangles = asked.boxes.map((box) => new faceapi.Rect(...box));
    const faces = await faceapi.extractFaceTensors(picture, rectangles);
    const found = await Promise.all(faces.map((face) => net.detectLandmarks(face)));
    return found.map((face, i) => face.positions.map((p) => [p.x + asked.boxes[i][0], p.y + asked.boxes[i][1]]));
  }
  const options = asked.net === 'ssd_mobilenetv1'
    ? new faceapi.SsdMobilenetv1Options() : new faceapi.TinyFaceDetectorOptions();
  return (await net.locateFaces(picture, options)).map(({ score, box }) => [box.x, box.y, box.width, box.height, score]);
}

main().then((answer) => process.stdout.write(`\n${JSON.stringify(answer)}`));
