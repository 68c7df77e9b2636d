function status = stream_frames(varargin)
%STREAM_FRAMES Streams simulated frames from MATLAB or GNU Octave, through rheed_mex.c.
%
%   stream_frames('endpoint=none', 'spool_dir=spool')
%
% Each argument becomes a line of the stream's options (docs/options.md). The result is 0 when no frame was lost.

  ACCEPTED = 3; CONFIRMED = 4; PENDING = 5; LOST = 6;     % RHEED_STAT_* + 1
  STATUS = 3;                                             % RHEED_TEXT_STATUS
  W_PENDING = 1;
  width = 320; height = 240; fps = 60; frames = 90;

  options = sprintf('%s\n', sprintf('fps = %d', fps), varargin{:});
  stream = rheed_mex('init', options);
  cleanup = onCleanup(@() rheed_mex('free', stream));     % Also after an error: what was taken is still uploaded.

  rheed_mex('region', stream, 0, width/2 - 10, height/2 - 10, 20, 20);   % Around the spot.
  position = 0;
  began = tic;
  [column, row] = meshgrid(0:width - 1, 0:height - 1);
  for index = 0:frames - 1
    frame = uint8(mod(3 * row + column + 7 * index, 256));
    pause(max(0, index / fps - toc(began)));
    rheed_mex('push', stream, frame', index);             % Transposed: rows follow each other in memory.
    show_events(stream);
    if mod(index, 15) == 14                               % A few times a second.
      position = show_spot(stream, position);
    end
  end

  ended = rheed_mex('finalize', stream, 60000);
  show_events(stream);
  show_spot(stream, position);
  stats = rheed_mex('stats', stream);
  fprintf('%s\n', rheed_mex('text', stream, STATUS));
  fprintf('%d taken, %d confirmed, %d lost\n', stats(ACCEPTED), stats(CONFIRMED), stats(LOST));
  if ended == W_PENDING
    fprintf('%d frames are in the spool: the next stream there sends them\n', stats(PENDING));
  end
  status = double(stats(ACCEPTED) ~= frames || stats(LOST) > 0);
end

function show_events(stream)
  line = rheed_mex('event', stream);
  while ~isempty(line)
    fprintf('event: %s\n', line);
    line = rheed_mex('event', stream);
  end
end

function position = show_spot(stream, position)
  readings = rheed_mex('readings', stream, 0, position);
  whole = readings(:, readings(4, :) == 0);               % Flagged are those of incomplete frames.
  fprintf('spot: %.3f s %.2f\n', whole(2:3, :));
  if ~isempty(readings)
    position = readings(1, end);
  end
end
